/** The decision, how sure it is, and what stands behind it. */

import type { Prediction } from "../api/client";
import { milliseconds, percent, SIGNS, toneOf } from "../figures";

export function Answer({ answer }: { answer: Prediction }) {
  const shares = Object.entries(answer.probabilities ?? { [answer.sentiment]: answer.confidence });
  return (
    <>
      <p className={`verdict ${toneOf(answer.sentiment)}`}>
        <span aria-hidden="true">{SIGNS[toneOf(answer.sentiment)]}</span> {answer.sentiment}
        <span className="quiet"> at {percent(answer.confidence)} confidence</span>
      </p>
      <dl className="shares">
        {shares.map(([label, share]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>
              <meter className={toneOf(label)} min={0} max={1} value={share} aria-label={`Probability of ${label}`}>
                {percent(share)}
              </meter>
              <span>{percent(share)}</span>
            </dd>
          </div>
        ))}
      </dl>
      <p className="quiet">
        {milliseconds(answer.inference_time_ms)} in the model · model <code>{answer.model_version}</code> · id{" "}
        <code>{answer.prediction_id}</code>
      </p>
      {answer.truncated && (
        <p className="note">The text is longer than the model reads: the words in grey below were left out.</p>
      )}
    </>
  );
}
