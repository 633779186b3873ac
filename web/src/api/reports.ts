/** What the reports function is asked (docs/reports.md); what it answers is in its OpenAPI document. */

import { answered, reports } from "./client";
import { ApiError } from "./errors";
import type { components } from "./schema/reports";

type Schemas = components["schemas"];
export type Alert = Schemas["Alert"];
export type Deployment = Schemas["Deployment"];
export type DriftRun = Schemas["DriftRun"];
export type Feature = Schemas["Feature"];
export type Performance = Schemas["Performance"];
export type ReviewItem = Schemas["ReviewItem"];
export type Reason = ReviewItem["reasons"][number];
export type Summary = Schemas["Summary"];

const MOST_ROWS = 200; // of one answer
const MOST_RUNS = 800; // a month of hourly ones

export const readSummary = (hours: number): Promise<Summary> => answered(reports.GET("/reports/summary", { params: { query: { hours } } }));

export const readPerformance = (days: number): Promise<Performance> =>
  answered(reports.GET("/reports/performance", { params: { query: { days } } }));

/** Return the runs over windows that ended since then, newest first. */
export async function readDrift(since: Date): Promise<DriftRun[]> {
  const runs: DriftRun[] = [];
  let before: string | undefined;
  do {
    const query = { since: since.toISOString(), limit: MOST_ROWS, before };
    const page = await answered(reports.GET("/reports/drift", { params: { query } }));
    runs.push(...page.runs);
    before = page.next_before ?? undefined;
  } while (before !== undefined && runs.length < MOST_RUNS);
  return runs;
}

/** Return the id of the run over the window that ended at that very moment; throws ApiError when there is none. */
export async function findRun(until: string): Promise<string> {
  const first = Date.parse(until); // a browser's clock knows no less than a millisecond
  const query = { since: new Date(first).toISOString(), until: new Date(first + 1).toISOString(), limit: 10 };
  const { runs } = await answered(reports.GET("/reports/drift", { params: { query } }));
  const run = runs.find((one) => one.until === until);
  if (!run) throw new ApiError(404, "page_not_found", "no such drift run", null);
  return run.id;
}

/** Return the open alerts, then those that were resolved last. */
export async function readAlerts(): Promise<Alert[]> {
  const [open, all] = await Promise.all(
    (["open", "all"] as const).map((state) =>
      answered(reports.GET("/reports/alerts", { params: { query: { state, limit: state === "open" ? MOST_ROWS : 50 } } })),
    ),
  );
  return [...(open?.alerts ?? []), ...(all?.alerts ?? []).filter((alert) => alert.resolved_at !== null)];
}

export const readDeployments = async (): Promise<Deployment[]> =>
  (await answered(reports.GET("/reports/deployments", { params: { query: { limit: 20 } } }))).deployments;

export const readQueue = async (limit: number): Promise<ReviewItem[]> =>
  (await answered(reports.GET("/reports/review", { params: { query: { limit: Math.min(limit, MOST_ROWS) } } }))).items;

/** Return where a run's page can be read for five minutes. */
export const driftPage = async (id: string): Promise<string> =>
  (await answered(reports.GET("/reports/drift/{run_id}/page", { params: { path: { run_id: id }, query: { redirect: false } } }))).url;
