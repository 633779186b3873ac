/** Loading, empty, error and offline states. */

import { Alert, Button, Skeleton } from "@mantine/core";
import { useSyncExternalStore } from "react";

import { asApiError, userMessage } from "./api/errors";
import { signIn } from "./session/session";

export function Loading({ what, lines = 4 }: { what: string; lines?: number }) {
  return (
    <div role="status" aria-label={`Loading ${what}`}>
      {Array.from({ length: lines }, (_, line) => (
        <Skeleton key={line} height={18} mt="sm" width={`${100 - 12 * (line % 3)}%`} />
      ))}
    </div>
  );
}

export function Empty({ children }: { children: React.ReactNode }) {
  return <p className="empty">{children}</p>;
}

export function Failed({ error, retry }: { error: unknown; retry?: () => void }) {
  const failure = asApiError(error);
  return (
    <Alert color="red" variant="outline" title="Request failed" role="alert" className="failed">
      <p>{userMessage(failure)}</p>
      {failure.correlationId && (
        <p>
          Correlation ID: <code>{failure.correlationId}</code>
        </p>
      )}
      {failure.code === "not_signed_in" && (
        <Button size="xs" mr="xs" onClick={() => void signIn()}>
          Sign in
        </Button>
      )}
      {retry && (
        <Button variant="default" size="xs" onClick={retry}>
          Try again
        </Button>
      )}
    </Alert>
  );
}

/** Return whether the browser is online. */
export function useOnline(): boolean {
  return useSyncExternalStore(
    (changed) => {
      window.addEventListener("online", changed);
      window.addEventListener("offline", changed);
      return () => {
        window.removeEventListener("online", changed);
        window.removeEventListener("offline", changed);
      };
    },
    () => navigator.onLine,
  );
}

export function OfflineNote() {
  if (useOnline()) return null;
  return (
    <Alert color="orange" variant="outline" title="You are offline" role="status">
      Your input is kept. Requests work again once you are connected.
    </Alert>
  );
}
