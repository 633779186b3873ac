/** Labels that are not stored yet: held for some seconds to allow undo (the API only adds), then sent.
 *
 * A label is kept in the tab's storage until it is stored, so no failure, navigation, reload or sign-in loses it. Labels
 * are sent one after another, so that the latest label of a prediction is stored last.
 */

import { useSyncExternalStore } from "react";

import { giveFeedback } from "../api/client";

export const HOLD_MS = 4_000;
const KEY = "unsent-labels";

export interface PendingLabel {
  id: string; // of the prediction
  label: string;
}

export interface Unsent {
  labels: PendingLabel[]; // that are not sent automatically
  error: unknown; // of the last attempt
}

const held = new Map<string, number>(); // timers, by prediction id
const sendQueue: PendingLabel[] = [];
let inFlight: PendingLabel | null = null;
let draining: Promise<void> | null = null;
let error: unknown = null;
let unsent: Unsent = { labels: readStored(), error };
const listeners = new Set<() => void>();

/** Keep a label, and send it after HOLD_MS unless it is withdrawn. */
export function holdLabel(pending: PendingLabel): void {
  window.clearTimeout(held.get(pending.id));
  store([...readStored().filter(({ id }) => id !== pending.id), pending]);
  held.set(pending.id, window.setTimeout(() => release(pending.id), HOLD_MS));
  notify();
}

/** Remove a label; returns whether it was not sent. A label that was sent can only be replaced by another. */
export function withdraw(id: string): boolean {
  const unsentYet = readStored().some((one) => one.id === id) && inFlight?.id !== id;
  window.clearTimeout(held.get(id));
  held.delete(id);
  store(readStored().filter((one) => one.id !== id));
  notify();
  return unsentYet;
}

/** Send held labels now. */
export function flush(): void {
  for (const id of [...held.keys()]) release(id);
}

/** Send labels left from a failure or from before the page was loaded. */
export function resend(): void {
  sendQueue.push(...unsent.labels);
  drain();
}

/** Remove the labels that could not be sent. */
export function discardUnsent(): void {
  for (const { id } of unsent.labels) withdraw(id);
}

/** Send all labels and wait; returns those that could not be sent. */
export async function sendPending(): Promise<PendingLabel[]> {
  flush();
  resend();
  await draining;
  return unsent.labels;
}

export function useUnsent(): Unsent {
  return useSyncExternalStore(subscribe, () => unsent);
}

// A page that is closed runs no more code: start all requests now; failed ones are still in storage.
window.addEventListener("pagehide", () => {
  flush();
  for (const pending of sendQueue.splice(0)) void deliver(pending);
});

function release(id: string): void {
  window.clearTimeout(held.get(id));
  held.delete(id);
  sendQueue.push(...readStored().filter((one) => one.id === id));
  drain();
}

function drain(): void {
  notify();
  draining ??= (async () => {
    for (let next = sendQueue.shift(); next; next = sendQueue.shift()) {
      inFlight = next;
      await deliver(next);
      inFlight = null;
    }
  })().finally(() => {
    draining = null;
    notify();
  });
}

async function deliver(pending: PendingLabel): Promise<void> {
  const same = (one: PendingLabel) => one.id === pending.id && one.label === pending.label;
  if (!readStored().some(same)) return; // withdrawn or replaced
  try {
    await giveFeedback(pending.id, pending.label);
    store(readStored().filter((one) => !same(one)));
    error = null;
  } catch (failure) {
    error = failure;
  }
}

function readStored(): PendingLabel[] {
  return JSON.parse(window.sessionStorage.getItem(KEY) ?? "[]") as PendingLabel[];
}

function store(labels: PendingLabel[]): void {
  window.sessionStorage.setItem(KEY, JSON.stringify(labels));
}

function notify(): void {
  const busy = new Set([...held.keys(), ...sendQueue.map(({ id }) => id), ...(inFlight ? [inFlight.id] : [])]);
  unsent = { labels: readStored().filter(({ id }) => !busy.has(id)), error };
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
