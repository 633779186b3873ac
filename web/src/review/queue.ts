/** The state of the review queue: labels given, skipped and undone. Sending is pendingLabels'. */

import type { ReviewItem } from "../api/reports";

export interface Done {
  item: ReviewItem;
  label: string | null; // null: skipped
}

export interface QueueState {
  left: ReviewItem[];
  done: Done[];
  finished: boolean; // everything fetched is done, so there may be more
}

export type QueueEvent = { type: "loaded"; items: ReviewItem[] } | { type: "labeled"; label: string } | { type: "skipped" } | { type: "undone" };

export const EMPTY: QueueState = { left: [], done: [], finished: false };

export function queue(state: QueueState, event: QueueEvent): QueueState {
  const [first, ...others] = state.left;
  switch (event.type) {
    case "loaded": {
      const seen = new Set(state.done.map(({ item }) => item.id));
      return { ...state, left: event.items.filter((item) => !seen.has(item.id)), finished: false };
    }
    case "labeled":
      return first ? { left: others, done: [...state.done, { item: first, label: event.label }], finished: others.length === 0 } : state;
    case "skipped":
      return first ? { left: others, done: [...state.done, { item: first, label: null }], finished: others.length === 0 } : state;
    case "undone": {
      const last = state.done.at(-1);
      return last ? { left: [last.item, ...state.left], done: state.done.slice(0, -1), finished: false } : state;
    }
  }
}

/** Return how many labels were given, and how many agree with the prediction. */
export function agreement(done: readonly Done[]): { labeled: number; agreed: number } {
  const labeled = done.filter(({ label }) => label !== null);
  return { labeled: labeled.length, agreed: labeled.filter(({ item, label }) => item.sentiment === label).length };
}
