/** The work on many texts. It goes on while another page is shown, and its answers are there on coming back. */

import { useSyncExternalStore } from "react";

import type { Row, Texts } from "./rows";
import { type Send, sendAll } from "./send";

export interface Work extends Texts {
  rows: Row[];
  state: "idle" | "running" | "done" | "cancelled" | "failed";
  error: unknown;
}

let now: Work = { texts: [], places: [], rows: [], state: "idle", error: null };
let stop: AbortController | null = null;
const listeners = new Set<() => void>();

function become(next: Partial<Work>): void {
  now = { ...now, ...next };
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
  become({ texts, places, rows: answered, state: "running", error: null });
  window.addEventListener("beforeunload", warn);
  try {
    for await (const rows of sendAll(texts.slice(answered.length), signal, send)) become({ rows: [...now.rows, ...rows] });
    become({ state: "done" });
  } catch (error) {
    become(signal.aborted ? { state: "cancelled" } : { state: "failed", error });
  } finally {
    window.removeEventListener("beforeunload", warn);
  }
}

export const cancel = (): void => stop?.abort();

const warn = (event: BeforeUnloadEvent): void => event.preventDefault();
