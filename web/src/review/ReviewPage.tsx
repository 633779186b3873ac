/** The predictions most worth a person's label, one after the other, one key each. */

import { Button, Checkbox, Kbd } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useReducer, useState } from "react";

import { readCard } from "../api/client";
import { readQueue, type Reason, type ReviewItem } from "../api/reports";
import { count, moment, percent } from "../figures";
import { Empty, Failed, Loading, OfflineNote } from "../states";
import { flush, forget, hold, resend, takeBack, useUnsent } from "./labels";
import { agreement, EMPTY, queue } from "./queue";
import "./review.css";

const FETCHED = 50;

export default function ReviewPage() {
  const [now, tell] = useReducer(queue, EMPTY);
  // What was done comes again while it is skipped, or not stored yet: ask for as many more.
  const fetched = useQuery({ queryKey: ["review"], queryFn: () => readQueue(FETCHED + now.done.length), staleTime: 0, gcTime: 0 });
  const card = useQuery({ queryKey: ["card"], queryFn: readCard, staleTime: Infinity });
  const [byKey, setByKey] = useState(true);
  const [late, setLate] = useState(false); // whether what was undone last had gone out
  const unsent = useUnsent();
  const labels = card.data?.labels ?? [];
  const item = now.left[0];

  useEffect(() => {
    if (fetched.data) tell({ type: "loaded", items: fetched.data });
  }, [fetched.data]);

  const { refetch } = fetched;
  useEffect(() => {
    if (now.finished) void refetch();
  }, [now.finished, refetch]);

  useEffect(() => {
    resend();
    return flush;
  }, []);

  const give = useCallback(
    (label: string) => {
      if (!item) return;
      hold({ id: item.id, label });
      setLate(false);
      tell({ type: "labelled", label });
    },
    [item],
  );

  const skip = useCallback(() => {
    setLate(false);
    tell({ type: "skipped" });
  }, []);

  const last = now.done.at(-1);
  const undo = useCallback(() => {
    if (!last) return;
    setLate(last.label !== null && !takeBack(last.item.id));
    tell({ type: "undone" });
  }, [last]);

  useEffect(() => {
    function pressed(event: KeyboardEvent) {
      if (!byKey || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
      const label = labels[Number(event.key) - 1];
      if (label !== undefined) give(label);
      else if (event.key === "s") skip();
      else if (event.key === "u") undo();
    }
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, [byKey, give, labels, skip, undo]);

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
      {unsent.labels.length > 0 && (
        <section aria-label="Labels that were not sent">
          <p>
            {count(unsent.labels.length)} {unsent.labels.length === 1 ? "label is" : "labels are"} kept in this tab and not sent yet.
          </p>
          <Failed error={unsent.error} retry={resend} />
          <Button variant="default" onClick={forget}>
            Do not send
          </Button>
        </section>
      )}
      {fetched.data && (
        <p role="status" data-testid="review-progress">
          {count(labelled)} labelled, {count(now.left.length)} left
          {labelled > 0 && `; the model agreed on ${percent(agreed / labelled, 0)}`}
          {late && "; this one was sent already: it counts until you give another label"}
        </p>
      )}
      {item && labels.length > 0 && <Shown item={item} labels={labels} give={give} skip={skip} />}
      {fetched.data && !item && fetched.isFetching && <Loading what="more" />}
      {fetched.data && !item && !fetched.isFetching && (
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
        <Checkbox label="One key each" checked={byKey} onChange={(event) => setByKey(event.currentTarget.checked)} />
      </div>
    </>
  );
}

interface ShownProps {
  item: ReviewItem;
  labels: string[];
  give: (label: string) => void;
  skip: () => void;
}

function Shown({ item, labels, give, skip }: ShownProps) {
  return (
    <section className="card" aria-label="Prediction to label" data-testid="review-item">
      <blockquote className="review" aria-live="polite">
        {item.text}
      </blockquote>
      <ul className="reasons">
        {item.reasons.map((reason) => (
          <li key={reason.reason}>{because(reason)}</li>
        ))}
      </ul>
      <p className="quiet">
        The model says {item.sentiment} ({percent(item.confidence)}) · {moment(item.predicted_at)} · <code>{item.model_version}</code>
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
  );
}

function because(reason: Reason): string {
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
