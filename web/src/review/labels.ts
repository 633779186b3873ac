/** Labels on their way: held for some seconds, which is what makes undo possible (the API only adds), then sent.
 *
 * What could not be sent stays in the tab's storage until it is: leaving the page loses nothing.
 */

import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";

import { giveFeedback } from "../api/client";

export const HOLD_MS = 4_000;
const KEY = "unsent-labels";

export interface Given {
  id: string; // of the prediction
  label: string;
}

export interface Labels {
  hold: (given: Given) => void;
  flush: () => void; // sends what is held
  takeBack: (id: string) => void; // a label that went out already is replaced by the next one
  resend: () => void;
  unsent: Given[];
  error: unknown; // why the last one was not sent
}

const listeners = new Set<() => void>();

function stored(): string {
  return window.sessionStorage.getItem(KEY) ?? "[]";
}

function store(change: (unsent: Given[]) => Given[]): void {
  window.sessionStorage.setItem(KEY, JSON.stringify(change(JSON.parse(stored()) as Given[])));
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const without = (id: string) => (unsent: Given[]) => unsent.filter((one) => one.id !== id);

export function useLabels(): Labels {
  const kept = useSyncExternalStore(subscribe, stored);
  const unsent = useMemo(() => JSON.parse(kept) as Given[], [kept]);
  const [error, setError] = useState<unknown>(null);
  const held = useRef<(Given & { timer: number }) | null>(null);

  const send = useCallback((given: Given) => {
    giveFeedback(given.id, given.label)
      .then(() => store(without(given.id)))
      .catch((failure: unknown) => {
        store((all) => [...without(given.id)(all), { id: given.id, label: given.label }]);
        setError(failure);
      });
  }, []);

  const flush = useCallback(() => {
    if (!held.current) return;
    window.clearTimeout(held.current.timer);
    send(held.current);
    held.current = null;
  }, [send]);

  const hold = useCallback(
    (given: Given) => {
      flush();
      held.current = { ...given, timer: window.setTimeout(flush, HOLD_MS) };
    },
    [flush],
  );

  const takeBack = useCallback((id: string) => {
    if (held.current) window.clearTimeout(held.current.timer);
    held.current = null;
    store(without(id));
  }, []);

  const resend = useCallback(() => unsent.forEach(send), [send, unsent]);

  useEffect(() => {
    window.addEventListener("pagehide", flush);
    return () => {
      window.removeEventListener("pagehide", flush);
      flush();
    };
  }, [flush]);

  return { hold, flush, takeBack, resend, unsent, error };
}
