/** The review queue: the predictions that are most useful to label, with a key per label. */

import { Button, Checkbox, Kbd } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useReducer, useState } from "react";

import { readCard } from "../api/client";
import { readQueue, type Reason, type ReviewItem } from "../api/reports";
import { count, moment, percent } from "../format";
import { Empty, Failed, Loading, OfflineNote } from "../states";
import { flush, discardUnsent, holdLabel, resend, withdraw, useUnsent } from "./pendingLabels";
import { agreement, EMPTY, queue } from "./queue";
import "./review.css";

const PAGE_ITEMS = 50;

export default function ReviewPage() {
  const [state, dispatch] = useReducer(queue, EMPTY);
  // Skipped items and labels that are not stored yet are returned again: fetch as many more.
  const fetched = useQuery({ queryKey: ["review"], queryFn: () => readQueue(PAGE_ITEMS + state.done.length), staleTime: 0, gcTime: 0 });
  const card = useQuery({ queryKey: ["card"], queryFn: readCard, staleTime: Infinity });
  const [shortcuts, setShortcuts] = useState(true);
  const [alreadySent, setAlreadySent] = useState(false); // whether the label undone last had been sent
  const unsent = useUnsent();
  const labels = card.data?.labels ?? [];
  const item = state.left[0];

  useEffect(() => {
    if (fetched.data) dispatch({ type: "loaded", items: fetched.data });
  }, [fetched.data]);

  const { refetch } = fetched;
  useEffect(() => {
    if (state.finished) void refetch();
  }, [state.finished, refetch]);

  useEffect(() => {
    resend();
    return flush;
  }, []);

  const give = useCallback(
    (label: string) => {
      if (!item) return;
      holdLabel({ id: item.id, label });
      setAlreadySent(false);
      dispatch({ type: "labeled", label });
    },
    [item],
  );

  const skip = useCallback(() => {
    setAlreadySent(false);
    dispatch({ type: "skipped" });
  }, []);

  const last = state.done.at(-1);
  const undo = useCallback(() => {
    if (!last) return;
    setAlreadySent(last.label !== null && !withdraw(last.item.id));
    dispatch({ type: "undone" });
  }, [last]);

  useEffect(() => {
    function onKeyDown(event: KeyboardEvent) {
      if (!shortcuts || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
      const label = labels[Number(event.key) - 1];
      if (label !== undefined) give(label);
      else if (event.key === "s") skip();
      else if (event.key === "u") undo();
    }
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, [shortcuts, give, labels, skip, undo]);

  const { labeled, agreed } = agreement(state.done);
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
        <section aria-label="Unsent labels">
          <p>
            {count(unsent.labels.length)} {unsent.labels.length === 1 ? "label is" : "labels are"} kept in this tab and not sent yet.
          </p>
          <Failed error={unsent.error} retry={resend} />
          <Button variant="default" onClick={discardUnsent}>
            Discard
          </Button>
        </section>
      )}
      {fetched.data && (
        <p role="status" data-testid="review-progress">
          {count(labeled)} labeled, {count(state.left.length)} left
          {labeled > 0 && `; the model agreed on ${percent(agreed / labeled, 0)}`}
          {alreadySent && "; this label was already sent and counts until you change it"}
        </p>
      )}
      {item && labels.length > 0 && <QueueItem item={item} labels={labels} give={give} skip={skip} />}
      {fetched.data && !item && fetched.isFetching && <Loading what="more predictions" />}
      {fetched.data && !item && !fetched.isFetching && (
        <Empty>Nothing to review. New predictions appear here as they are made.</Empty>
      )}
      <div className="row wrap">
        <Button variant="default" disabled={state.done.length === 0} onClick={undo} rightSection={<Kbd size="xs">u</Kbd>}>
          Undo
        </Button>
        {fetched.data && (
          <Button variant="default" loading={fetched.isFetching} onClick={() => void fetched.refetch()}>
            Fetch more
          </Button>
        )}
        <Checkbox label="Keyboard shortcuts" checked={shortcuts} onChange={(event) => setShortcuts(event.currentTarget.checked)} />
      </div>
    </>
  );
}

interface QueueItemProps {
  item: ReviewItem;
  labels: string[];
  give: (label: string) => void;
  skip: () => void;
}

function QueueItem({ item, labels, give, skip }: QueueItemProps) {
  return (
    <section className="card" aria-label="Prediction to label" data-testid="review-item">
      <blockquote className="review" aria-live="polite">
        {item.text}
      </blockquote>
      <ul className="reasons">
        {item.reasons.map((reason) => (
          <li key={reason.reason}>{describeReason(reason)}</li>
        ))}
      </ul>
      <p className="quiet">
        Predicted: {item.sentiment} ({percent(item.confidence)}) · {moment(item.predicted_at)} · <code>{item.model_version}</code>
        {item.copies > 1 && ` · sent ${item.copies} times`}
      </p>
      <div className="row wrap">
        {labels.map((label, index) => (
          <Button key={label} variant="default" onClick={() => give(label)} rightSection={<Kbd size="xs">{index + 1}</Kbd>}>
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

function describeReason(reason: Reason): string {
  switch (reason.reason) {
    case "uncertain":
      return `Uncertain: the two most probable labels are ${(100 * reason.margin).toFixed(0)} points apart.`;
    case "novel":
      return `Novel: ${reason.novelty.toFixed(2)} (1 in 100 familiar texts is above 1.5).`;
    case "disagrees":
      return reason.with === null
        ? `The same text was labeled ${reason.label}.`
        : `A text with ${percent(reason.similarity, 0)} similarity was labeled ${reason.label}.`;
  }
}
