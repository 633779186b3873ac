/** Was this right? The answer is stored beside the prediction; the latest word wins. */

import { Button } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";

import { giveFeedback, type Prediction } from "../api/client";
import { Failed } from "../states";

export function Feedback({ answer }: { answer: Prediction }) {
  const given = useMutation({ mutationFn: (label: string) => giveFeedback(answer.prediction_id, label) });
  const others = Object.keys(answer.probabilities ?? {}).filter((label) => label !== answer.sentiment);

  return (
    <div role="group" aria-label="Was this right?">
      <h2>Was this right?</h2>
      <div className="row wrap">
        <Button variant="default" onClick={() => given.mutate(answer.sentiment)} loading={given.isPending && given.variables === answer.sentiment}>
          Yes, {answer.sentiment}
        </Button>
        {others.map((label) => (
          <Button key={label} variant="default" onClick={() => given.mutate(label)} loading={given.isPending && given.variables === label}>
            No, it is {label}
          </Button>
        ))}
        <span role="status">{given.isSuccess && `Thank you: noted as ${given.variables}.`}</span>
      </div>
      {given.isError && <Failed error={given.error} retry={() => given.mutate(given.variables)} />}
    </div>
  );
}
