/** What happened to the queue: labels given, skipped and taken back. Sending is the page's. */

import type { ReviewItem } from "../api/reports";

export interface Done {
  item: ReviewItem;
  label: string | null; // null: skipped
}

export interface Queue {
  left: ReviewItem[];
  done: Done[];
  finished: boolean; // all that was fetched is done, so there may be more
}

export type QueueEvent = { type: "loaded"; items: ReviewItem[] } | { type: "labelled"; label: string } | { type: "skipped" } | { type: "undone" };

export const EMPTY: Queue = { left: [], done: [], finished: false };

export function queue(now: Queue, event: QueueEvent): Queue {
  const [first, ...others] = now.left;
  switch (event.type) {
    case "loaded": {
      const seen = new Set(now.done.map(({ item }) => item.id));
      return { ...now, left: event.items.filter((item) => !seen.has(item.id)), finished: false };
    }
    case "labelled":
      return first ? { left: others, done: [...now.done, { item: first, label: event.label }], finished: others.length === 0 } : now;
    case "skipped":
      return first ? { left: others, done: [...now.done, { item: first, label: null }], finished: others.length === 0 } : now;
    case "undone": {
      const last = now.done.at(-1);
      return last ? { left: [last.item, ...now.left], done: now.done.slice(0, -1), finished: false } : now;
    }
  }
}

/** Return how many labels were given, and how many of them the model had answered too. */
export function agreement(done: readonly Done[]): { labelled: number; agreed: number } {
  const labelled = done.filter(({ label }) => label !== null);
  return { labelled: labelled.length, agreed: labelled.filter(({ item, label }) => item.sentiment === label).length };
}
