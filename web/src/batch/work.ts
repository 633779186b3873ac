/** The work on many texts. It goes on while another page is shown, and its answers are there on coming back. */

import { useSyncExternalStore } from "react";

import type { Row, Texts } from "./rows";
import { type Send, sendAll } from "./send";

export interface Work extends Texts {
  rows: Row[];
  state: "idle" | "running" | "done" | "cancelled" | "failed";
  error: unknown;
  saved: boolean; // all answers are in a file
}

let now: Work = { texts: [], places: [], rows: [], state: "idle", error: null, saved: true };
let stop: AbortController | null = null;
const listeners = new Set<() => void>();

function become(next: Partial<Work>): void {
  now = { ...now, ...next };
  // A batch is in this tab alone, so the browser asks before it closes on one. Asking twice of the same function is once.
  if (now.saved) window.removeEventListener("beforeunload", warn);
  else window.addEventListener("beforeunload", warn);
  for (const listener of listeners) listener();
}

export function useWork(): Work {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => now,
  );
}

/** Ask about all texts but those that were answered already. */
export async function start({ texts, places }: Texts, answered: Row[] = [], send?: Send): Promise<void> {
  if (now.state === "running") return;
  stop = new AbortController();
  const { signal } = stop;
  become({ texts, places, rows: answered, state: "running", error: null, saved: false });
  try {
    for await (const rows of sendAll(texts.slice(answered.length), signal, send)) become({ rows: [...now.rows, ...rows] });
    become({ state: "done" });
  } catch (error) {
    become(signal.aborted ? { state: "cancelled" } : { state: "failed", error });
  }
}

export const cancel = (): void => stop?.abort();

/** Take note that what was answered so far is in a file. */
export const saved = (): void => become({ saved: now.state !== "running" });

function warn(event: BeforeUnloadEvent): void {
  event.preventDefault();
}
