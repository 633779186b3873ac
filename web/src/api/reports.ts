/** What the reports function answers (docs/reports.md), in as much as this page reads of it. */

import { ask } from "./client";

export interface Bin {
  since: string;
  predictions: number;
  by_sentiment: Record<string, number>;
  confidence: number | null;
  inference_time_ms: { p50: number | null; p95: number | null };
}

export interface Summary {
  since: string;
  until: string;
  predictions: number;
  over_time: Bin[];
  by_sentiment: Record<string, number>;
  by_model_version: Record<string, number>;
  truncated_share: number | null;
  confidence: { mean: number | null; histogram: { from: number; to: number; predictions: number }[] };
  novelty: { mean: number | null };
  inference_time_ms: { p50: number | null; p95: number | null; p99: number | null };
  feedback: { given: number; agreed: number };
  requests: { counted: number; error_rate: number | null } | null;
}

export interface Estimate {
  accuracy: number;
  low: number;
  high: number;
  rows: number;
}

export interface Accuracy {
  labels: number;
  agreed: number;
  accuracy: number | null;
  low: number | null;
  high: number | null;
}

export interface Performance {
  labelled: Accuracy;
  days: (Accuracy & { day: string; estimate: Estimate | null })[];
  monitor: { estimate: Estimate | null; reference: { accuracy: number } | null } | null;
}

export interface Feature {
  feature: string;
  method: string;
  effect: number;
  threshold: number;
  drifted: boolean;
}

export interface DriftRun {
  id: string;
  at: string;
  rows: number;
  score: number;
  model_version: string;
  since: string;
  until: string;
  data_drift: { drifted: boolean; score: number; features: Feature[] } | null;
  prediction_drift: { drifted: boolean; score: number; features: Feature[] } | null;
  report_uri?: string | null;
}

export interface Alert {
  id: string;
  kind: string;
  cause: string;
  severity: "info" | "warning" | "critical";
  message: string;
  details: Record<string, unknown>;
  raised_at: string;
  seen_at: string;
  notified_at: string | null;
  resolved_at: string | null;
}

export interface Deployment {
  id: string;
  deployment_type: string;
  model_version: string;
  is_active: boolean;
  function_version: string | null;
  reason: string | null;
  deployed_by: string;
  deployed_at: string;
  retired_at: string | null;
}

export type Reason =
  | { reason: "disagrees"; label: string; similarity: number; with: string | null }
  | { reason: "uncertain"; margin: number; entropy: number }
  | { reason: "novel"; novelty: number };

export interface ReviewItem {
  id: string;
  text: string;
  sentiment: string;
  confidence: number;
  probabilities: Record<string, number>;
  novelty: number | null;
  model_version: string;
  predicted_at: string;
  copies: number;
  reasons: Reason[];
}

export const readSummary = (span: Record<string, string | number>): Promise<Summary> => ask("summary", span);
export const readPerformance = (days: number): Promise<Performance> => ask("performance", { days });
export const readDrift = (limit: number): Promise<{ runs: DriftRun[] }> => ask("drift", { limit });
export const readAlerts = (): Promise<{ alerts: Alert[] }> => ask("alerts", { state: "all", limit: 50 });
export const readDeployments = (): Promise<{ deployments: Deployment[] }> => ask("deployments", { limit: 20 });
export const readQueue = (limit: number): Promise<{ items: ReviewItem[] }> => ask("review", { limit });
/** Return where a run's page can be read for five minutes. */
export const driftPage = (id: string): Promise<{ url: string }> => ask(`drift/${id}/page`, { redirect: "false" });
