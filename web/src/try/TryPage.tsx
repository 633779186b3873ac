/** One review: what the model says, how surely, why, and whether it was right. */

import { Button, Textarea } from "@mantine/core";
import { useSessionStorage } from "@mantine/hooks";
import { useMutation } from "@tanstack/react-query";
import { useEffect, useRef } from "react";

import { explain, predict, type Prediction } from "../api/client";
import { count } from "../figures";
import { Failed, Loading, OfflineNote } from "../states";
import { Answer } from "./Answer";
import { EXAMPLES } from "./examples";
import { Explained } from "./Explained";
import { Feedback } from "./Feedback";
import { charactersOf, MAX_CHARACTERS } from "./text";
import "./try.css";

export function TryPage() {
  // Kept while the tab is open: neither another page nor signing in again loses what was typed.
  const [text, setText] = useSessionStorage({ key: "review", defaultValue: "", getInitialValueInEffect: false });
  const result = useRef<HTMLDivElement>(null);
  const asked = useMutation({ mutationFn: predict });
  const explained = useMutation({ mutationFn: explain });

  const characters = charactersOf(text.trim());
  const sendable = characters > 0 && characters <= MAX_CHARACTERS && !asked.isPending;

  function submit(review: string) {
    asked.mutate(review);
    explained.reset();
    explained.mutate(review);
  }

  useEffect(() => {
    if (asked.isSuccess) result.current?.scrollIntoView({ block: "nearest" });
  }, [asked.isSuccess, asked.data]);

  return (
    <>
      <h1>What does a review say?</h1>
      <OfflineNote />
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (sendable) submit(text);
        }}
      >
        <Textarea
          label="Review"
          description={`${count(characters)} of ${count(MAX_CHARACTERS)} characters. Ctrl + Enter asks.`}
          placeholder="Type or paste a review"
          autosize
          minRows={5}
          maxRows={16}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && sendable) submit(text);
          }}
          error={characters > MAX_CHARACTERS ? `${count(characters - MAX_CHARACTERS)} characters too many` : undefined}
        />
        <div className="row">
          <Button type="submit" disabled={!sendable} loading={asked.isPending}>
            Ask
          </Button>
        </div>
      </form>
      <div className="row wrap" role="group" aria-label="Examples">
        <span className="quiet">Examples:</span>
        {EXAMPLES.map(({ name, text: example }) => (
          <Button
            key={name}
            variant="default"
            size="compact-sm"
            onClick={() => {
              setText(example);
              submit(example);
            }}
          >
            {name}
          </Button>
        ))}
      </div>
      <div ref={result} aria-live="polite">
        {asked.isPending && <Loading what="the answer" />}
        {asked.isError && <Failed error={asked.error} retry={() => submit(asked.variables)} />}
        {asked.isSuccess && (
          <Result answer={asked.data} text={asked.variables} explained={explained} retry={() => explained.mutate(asked.variables)} />
        )}
      </div>
    </>
  );
}

interface ResultProps {
  answer: Prediction;
  text: string;
  explained: { isPending: boolean; isError: boolean; error: unknown; data: Awaited<ReturnType<typeof explain>> | undefined };
  retry: () => void;
}

function Result({ answer, text, explained, retry }: ResultProps) {
  return (
    <section aria-label="Answer" className="card" data-testid="answer">
      <Answer answer={answer} />
      <h2>Why</h2>
      {explained.isPending && <Loading what="the explanation" lines={3} />}
      {explained.isError && <Failed error={explained.error} retry={retry} />}
      {explained.data && <Explained text={text} explanation={explained.data} />}
      <Feedback key={answer.prediction_id} answer={answer} />
    </section>
  );
}
