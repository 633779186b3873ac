/** One review: the prediction, its explanation, and feedback. */

import { Button, Textarea } from "@mantine/core";
import { useSessionStorage } from "@mantine/hooks";
import { useMutation } from "@tanstack/react-query";
import { useEffect, useRef } from "react";

import { explain, predict, type Prediction } from "../api/client";
import { count } from "../format";
import { Failed, Loading, OfflineNote } from "../states";
import { Decision } from "./Decision";
import { EXAMPLES } from "./examples";
import { ExplainedText } from "./ExplainedText";
import { Feedback } from "./Feedback";
import { charactersOf, MAX_CHARACTERS } from "./text";
import "./try.css";

export function TryPage() {
  // Kept while the tab is open, also after navigation or sign-in.
  const [text, setText] = useSessionStorage({ key: "review", defaultValue: "", getInitialValueInEffect: false });
  const result = useRef<HTMLDivElement>(null);
  const prediction = useMutation({ mutationFn: predict });
  const explanation = useMutation({ mutationFn: explain });

  const characters = charactersOf(text.trim());
  const canSend = characters > 0 && characters <= MAX_CHARACTERS && !prediction.isPending;

  function submit(review: string) {
    prediction.mutate(review);
    explanation.reset();
    explanation.mutate(review);
  }

  useEffect(() => {
    if (prediction.isSuccess) result.current?.scrollIntoView({ block: "nearest" });
  }, [prediction.isSuccess, prediction.data]);

  return (
    <>
      <h1>Classify a review</h1>
      <OfflineNote />
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (canSend) submit(text);
        }}
      >
        <Textarea
          label="Review"
          description={`${count(characters)} of ${count(MAX_CHARACTERS)} characters. Press Ctrl + Enter to classify.`}
          placeholder="Type or paste a review"
          autosize
          minRows={5}
          maxRows={16}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && canSend) submit(text);
          }}
          error={characters > MAX_CHARACTERS ? `${count(characters - MAX_CHARACTERS)} characters too many` : undefined}
        />
        <div className="row">
          <Button type="submit" disabled={!canSend} loading={prediction.isPending}>
            Classify
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
        {prediction.isPending && <Loading what="the prediction" />}
        {prediction.isError && <Failed error={prediction.error} retry={() => submit(prediction.variables)} />}
        {prediction.isSuccess && (
          <Result prediction={prediction.data} text={prediction.variables} explanation={explanation} retry={() => explanation.mutate(prediction.variables)} />
        )}
      </div>
    </>
  );
}

interface ResultProps {
  prediction: Prediction;
  text: string;
  explanation: { isPending: boolean; isError: boolean; error: unknown; data: Awaited<ReturnType<typeof explain>> | undefined };
  retry: () => void;
}

function Result({ prediction, text, explanation, retry }: ResultProps) {
  return (
    <section aria-label="Prediction" className="card" data-testid="answer">
      <Decision prediction={prediction} />
      <h2>Explanation</h2>
      {explanation.isPending && <Loading what="the explanation" lines={3} />}
      {explanation.isError && <Failed error={explanation.error} retry={retry} />}
      {explanation.data && <ExplainedText text={text} explanation={explanation.data} />}
      <Feedback key={prediction.prediction_id} prediction={prediction} />
    </section>
  );
}
