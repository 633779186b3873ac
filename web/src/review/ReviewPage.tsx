/** The predictions most worth a person's label, one after the other, one key each.
 *
 * A label is held for some seconds before it is sent, which is what makes undo possible: the API only adds.
 */

import { Button, Kbd } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useReducer, useRef, useState } from "react";

import { giveFeedback, readCard } from "../api/client";
import { readQueue, type Reason } from "../api/reports";
import { count, moment, percent } from "../figures";
import { Empty, Failed, Loading, OfflineNote } from "../states";
import { agreement, EMPTY, queue } from "./queue";

const FETCHED = 50;
export const HOLD_MS = 4_000;

export default function ReviewPage() {
  const fetched = useQuery({ queryKey: ["review"], queryFn: () => readQueue(FETCHED), staleTime: Infinity });
  const card = useQuery({ queryKey: ["card"], queryFn: readCard, staleTime: Infinity });
  const [now, tell] = useReducer(queue, EMPTY);
  const [failed, setFailed] = useState<{ error: unknown; id: string; label: string } | null>(null);
  const held = useRef<{ id: string; label: string; timer: number } | null>(null);
  const labels = (card.data?.labels as string[] | undefined) ?? [];
  const item = now.left[0];

  useEffect(() => {
    if (fetched.data) tell({ type: "loaded", items: fetched.data.items });
  }, [fetched.data]);

  const send = useCallback((id: string, label: string) => {
    giveFeedback(id, label).catch((error: unknown) => setFailed({ error, id, label }));
  }, []);

  const flush = useCallback(() => {
    if (!held.current) return;
    window.clearTimeout(held.current.timer);
    send(held.current.id, held.current.label);
    held.current = null;
  }, [send]);

  const give = useCallback(
    (label: string) => {
      if (!item) return;
      flush();
      held.current = { id: item.id, label, timer: window.setTimeout(flush, HOLD_MS) };
      tell({ type: "labelled", label });
    },
    [flush, item],
  );

  const skip = useCallback(() => {
    flush();
    tell({ type: "skipped" });
  }, [flush]);

  const undo = useCallback(() => {
    if (held.current) window.clearTimeout(held.current.timer);
    held.current = null; // a label that went out already is replaced by the next one
    tell({ type: "undone" });
  }, []);

  useEffect(() => {
    // Leaving the page is no reason to lose the last label.
    window.addEventListener("pagehide", flush);
    return () => {
      window.removeEventListener("pagehide", flush);
      flush();
    };
  }, [flush]);

  useEffect(() => {
    function pressed(event: KeyboardEvent) {
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
      const label = labels[Number(event.key) - 1];
      if (label !== undefined) give(label);
      else if (event.key === "s") skip();
      else if (event.key === "u") undo();
    }
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, [give, labels, skip, undo]);

  const { labelled, agreed } = agreement(now.done);
  const problem = fetched.error ?? card.error;
  return (
    <>
      <h1>Worth a label</h1>
      <OfflineNote />
      <p>
        Predictions that are uncertain, unlike the training data, or at odds with a label of a nearly equal text. What
        you say is kept beside the prediction, and can be trained on.
      </p>
      {problem && <Failed error={problem} retry={() => void Promise.all([fetched.refetch(), card.refetch()])} />}
      {(fetched.isPending || card.isPending) && !problem && <Loading what="the queue" />}
      {failed && (
        <Failed
          error={failed.error}
          retry={() => {
            setFailed(null);
            send(failed.id, failed.label);
          }}
        />
      )}
      {fetched.data && (
        <p role="status" data-testid="review-progress">
          {count(labelled)} labelled, {count(now.left.length)} left
          {labelled > 0 && `; the model agreed on ${percent(agreed / labelled, 0)}`}
        </p>
      )}
      {item && labels.length > 0 && (
        <section className="card" aria-label="Prediction to label" data-testid="review-item">
          <blockquote className="review">{item.text}</blockquote>
          <ul className="reasons">
            {item.reasons.map((reason) => (
              <li key={reason.reason}>{because(reason)}</li>
            ))}
          </ul>
          <p className="quiet">
            The model says {item.sentiment} ({percent(item.confidence)}) · {moment(item.predicted_at)} ·{" "}
            <code>{item.model_version}</code>
            {item.copies > 1 && ` · asked ${item.copies} times`}
          </p>
          <div className="row wrap">
            {labels.map((label, place) => (
              <Button key={label} variant="default" onClick={() => give(label)} rightSection={<Kbd size="xs">{place + 1}</Kbd>}>
                {label}
              </Button>
            ))}
            <Button variant="default" onClick={skip} rightSection={<Kbd size="xs">s</Kbd>}>
              Skip
            </Button>
          </div>
        </section>
      )}
      {fetched.data && !item && (
        <Empty>Nothing waits for a label. New predictions come here as they are made.</Empty>
      )}
      <div className="row wrap">
        <Button variant="default" disabled={now.done.length === 0} onClick={undo} rightSection={<Kbd size="xs">u</Kbd>}>
          Undo
        </Button>
        {fetched.data && (
          <Button variant="default" loading={fetched.isFetching} onClick={() => void fetched.refetch()}>
            Fetch more
          </Button>
        )}
      </div>
    </>
  );
}

export function because(reason: Reason): string {
  switch (reason.reason) {
    case "uncertain":
      return `Uncertain: the two likeliest labels are ${(100 * reason.margin).toFixed(0)} points apart.`;
    case "novel":
      return `Unlike the training data: ${reason.novelty.toFixed(2)}, where 1 text in 100 is beyond 1.5.`;
    case "disagrees":
      return reason.with === null
        ? `Somebody labelled this very text ${reason.label}.`
        : `A text that is ${percent(reason.similarity, 0)} the same was labelled ${reason.label}.`;
  }
}
