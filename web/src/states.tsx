/** What is shown while something loads, when there is nothing, and when it failed. */

import { Alert, Button, Skeleton } from "@mantine/core";
import { useSyncExternalStore } from "react";

import { asApiError, sentenceFor } from "./api/errors";
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
    <Alert color="red" variant="outline" title="That did not work" role="alert" className="failed">
      <p>{sentenceFor(failure)}</p>
      {failure.correlationId && (
        <p>
          Id for the log: <code>{failure.correlationId}</code>
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

/** Tell whether the browser believes to be connected. */
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
      What is here stays. Asking works again once you are connected.
    </Alert>
  );
}
