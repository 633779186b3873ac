/** Labels on their way: held for some seconds, which is what makes undo possible (the API only adds), then sent.
 *
 * A label stands in the tab's storage from the moment it is given until it is stored: no failure, other page, reload
 * or signing in again loses it. They go out one after the other, so that the latest word on a prediction is the last.
 */

import { useSyncExternalStore } from "react";

import { giveFeedback } from "../api/client";

export const HOLD_MS = 4_000;
const KEY = "unsent-labels";

export interface Given {
  id: string; // of the prediction
  label: string;
}

export interface Unsent {
  labels: Given[]; // those that nothing will send by itself
  error: unknown; // why the last one was not sent
}

const held = new Map<string, number>(); // the timer of each prediction whose label waits for an undo
const line: Given[] = []; // of those to be sent
let underway: Given | null = null;
let draining: Promise<void> | null = null;
let error: unknown = null;
let unsent: Unsent = { labels: kept(), error };
const listeners = new Set<() => void>();

/** Keep a label, and send it after a while in which it can be taken back. */
export function hold(given: Given): void {
  window.clearTimeout(held.get(given.id));
  keep([...kept().filter(({ id }) => id !== given.id), given]);
  held.set(given.id, window.setTimeout(() => release(given.id), HOLD_MS));
  tell();
}

/** Forget a label; tells whether it never went out. One that did is replaced by the next label alone. */
export function takeBack(id: string): boolean {
  const intact = kept().some((one) => one.id === id) && underway?.id !== id;
  window.clearTimeout(held.get(id));
  held.delete(id);
  keep(kept().filter((one) => one.id !== id));
  tell();
  return intact;
}

/** Send now what is held. */
export function flush(): void {
  for (const id of [...held.keys()]) release(id);
}

/** Send what was left over: from a failure, or from before the page was loaded. */
export function resend(): void {
  line.push(...unsent.labels);
  drain();
}

/** Forget what could not be sent. */
export function forget(): void {
  for (const { id } of unsent.labels) takeBack(id);
}

/** Send everything and wait for it; returns what could not be sent. */
export async function settle(): Promise<Given[]> {
  flush();
  resend();
  await draining;
  return unsent.labels;
}

export function useUnsent(): Unsent {
  return useSyncExternalStore(subscribe, () => unsent);
}

// A page that goes away runs nothing more: all requests have to be on their way, and what they leave is in storage.
window.addEventListener("pagehide", () => {
  flush();
  for (const given of line.splice(0)) void deliver(given);
});

function release(id: string): void {
  window.clearTimeout(held.get(id));
  held.delete(id);
  line.push(...kept().filter((one) => one.id === id));
  drain();
}

function drain(): void {
  tell();
  draining ??= (async () => {
    for (let next = line.shift(); next; next = line.shift()) {
      underway = next;
      await deliver(next);
      underway = null;
    }
  })().finally(() => {
    draining = null;
    tell();
  });
}

async function deliver(given: Given): Promise<void> {
  const same = (one: Given) => one.id === given.id && one.label === given.label;
  if (!kept().some(same)) return; // taken back, or replaced by another label
  try {
    await giveFeedback(given.id, given.label);
    keep(kept().filter((one) => !same(one)));
    error = null;
  } catch (failure) {
    error = failure;
  }
}

function kept(): Given[] {
  return JSON.parse(window.sessionStorage.getItem(KEY) ?? "[]") as Given[];
}

function keep(labels: Given[]): void {
  window.sessionStorage.setItem(KEY, JSON.stringify(labels));
}

function tell(): void {
  const busy = new Set([...held.keys(), ...line.map(({ id }) => id), ...(underway ? [underway.id] : [])]);
  unsent = { labels: kept().filter(({ id }) => !busy.has(id)), error };
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
