/** The client of the reports function (docs/reports.md). */

import { reports, unwrap } from "./client";
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

const MAX_ROWS = 200; // per response
const MAX_RUNS = 800; // a month of hourly runs

export const readSummary = (hours: number): Promise<Summary> => unwrap(reports.GET("/reports/summary", { params: { query: { hours } } }));

export const readPerformance = (days: number): Promise<Performance> =>
  unwrap(reports.GET("/reports/performance", { params: { query: { days } } }));

/** Return the runs whose window ended after `since`, newest first. */
export async function readDrift(since: Date): Promise<DriftRun[]> {
  const runs: DriftRun[] = [];
  let before: string | undefined;
  do {
    const query = { since: since.toISOString(), limit: MAX_ROWS, before };
    const page = await unwrap(reports.GET("/reports/drift", { params: { query } }));
    runs.push(...page.runs);
    before = page.next_before ?? undefined;
  } while (before !== undefined && runs.length < MAX_RUNS);
  return runs;
}

/** Return the id of the run whose window ended at `until`; throws ApiError if there is none. */
export async function findRun(until: string): Promise<string> {
  const first = Date.parse(until); // Date has a resolution of a millisecond
  const query = { since: new Date(first).toISOString(), until: new Date(first + 1).toISOString(), limit: 10 };
  const { runs } = await unwrap(reports.GET("/reports/drift", { params: { query } }));
  const run = runs.find(({ until: end }) => end === until);
  if (!run) throw new ApiError(404, "page_not_found", "drift run not found", null);
  return run.id;
}

/** Return the open alerts, then recently resolved ones. */
export async function readAlerts(): Promise<Alert[]> {
  const [open, all] = await Promise.all(
    (["open", "all"] as const).map((state) =>
      unwrap(reports.GET("/reports/alerts", { params: { query: { state, limit: state === "open" ? MAX_ROWS : 50 } } })),
    ),
  );
  return [...(open?.alerts ?? []), ...(all?.alerts ?? []).filter((alert) => alert.resolved_at !== null)];
}

export const readDeployments = async (): Promise<Deployment[]> =>
  (await unwrap(reports.GET("/reports/deployments", { params: { query: { limit: 20 } } }))).deployments;

export const readQueue = async (limit: number): Promise<ReviewItem[]> =>
  (await unwrap(reports.GET("/reports/review", { params: { query: { limit: Math.min(limit, MAX_ROWS) } } }))).items;

/** Return the presigned URL of a run's report, which is valid for five minutes. */
export const reportUrl = async (id: string): Promise<string> =>
  (await unwrap(reports.GET("/reports/drift/{run_id}/page", { params: { path: { run_id: id }, query: { redirect: false } } }))).url;
