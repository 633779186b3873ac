/** The batch job. It continues while another page is open, and keeps its results. */

import { useSyncExternalStore } from "react";

import type { Row, Texts } from "./rows";
import { type Send, sendAll } from "./send";

export interface BatchJob extends Texts {
  rows: Row[];
  state: "idle" | "running" | "done" | "canceled" | "failed";
  error: unknown;
  saved: boolean; // all results were downloaded
}

let job: BatchJob = { texts: [], rowNumbers: [], rows: [], state: "idle", error: null, saved: true };
let stop: AbortController | null = null;
const listeners = new Set<() => void>();

function update(next: Partial<BatchJob>): void {
  job = { ...job, ...next };
  // Results are only in this tab, so the browser asks before closing it. Adding the same listener twice adds it once.
  if (job.saved) window.removeEventListener("beforeunload", warn);
  else window.addEventListener("beforeunload", warn);
  for (const listener of listeners) listener();
}

export function useBatchJob(): BatchJob {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => job,
  );
}

/** Classify all texts except the first ones, which already have results. */
export async function start({ texts, rowNumbers }: Texts, finished: Row[] = [], send?: Send): Promise<void> {
  if (job.state === "running") return;
  stop = new AbortController();
  const { signal } = stop;
  update({ texts, rowNumbers, rows: finished, state: "running", error: null, saved: false });
  try {
    for await (const rows of sendAll(texts.slice(finished.length), signal, send)) update({ rows: [...job.rows, ...rows] });
    update({ state: "done" });
  } catch (error) {
    update(signal.aborted ? { state: "canceled" } : { state: "failed", error });
  }
}

export const cancel = (): void => stop?.abort();

/** Note that all results so far were downloaded. */
export const markSaved = (): void => update({ saved: job.state !== "running" });

function warn(event: BeforeUnloadEvent): void {
  event.preventDefault();
}
