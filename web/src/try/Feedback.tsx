/** Feedback on a prediction; the latest label counts. */

import { Button } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";

import { giveFeedback, type Prediction } from "../api/client";
import { Failed } from "../states";

export function Feedback({ prediction }: { prediction: Prediction }) {
  const feedback = useMutation({ mutationFn: (label: string) => giveFeedback(prediction.prediction_id, label) });
  const others = Object.keys(prediction.probabilities ?? {}).filter((label) => label !== prediction.sentiment);

  return (
    <div role="group" aria-label="Is this correct?">
      <h2>Is this correct?</h2>
      <div className="row wrap">
        <Button variant="default" onClick={() => feedback.mutate(prediction.sentiment)} loading={feedback.isPending && feedback.variables === prediction.sentiment}>
          Yes, {prediction.sentiment}
        </Button>
        {others.map((label) => (
          <Button key={label} variant="default" onClick={() => feedback.mutate(label)} loading={feedback.isPending && feedback.variables === label}>
            No, it is {label}
          </Button>
        ))}
        <span role="status">{feedback.isSuccess && `Saved as ${feedback.variables}.`}</span>
      </div>
      {feedback.isError && <Failed error={feedback.error} retry={() => feedback.mutate(feedback.variables)} />}
    </div>
  );
}
