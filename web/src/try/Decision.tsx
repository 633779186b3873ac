/** The predicted label, its probabilities, and where it comes from. */

import type { Prediction } from "../api/client";
import { milliseconds, percent, SIGNS, toneOf } from "../format";

export function Decision({ prediction }: { prediction: Prediction }) {
  const shares = Object.entries(prediction.probabilities ?? { [prediction.sentiment]: prediction.confidence });
  return (
    <>
      <p className={`verdict ${toneOf(prediction.sentiment)}`}>
        <span aria-hidden="true">{SIGNS[toneOf(prediction.sentiment)]}</span> {prediction.sentiment}
        <span className="quiet"> at {percent(prediction.confidence)} confidence</span>
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
        Inference time {milliseconds(prediction.inference_time_ms)} · model <code>{prediction.model_version}</code> · id{" "}
        <code>{prediction.prediction_id}</code>
      </p>
      {prediction.truncated && (
        <p className="note">The text is longer than the transformer's input. Any words in gray below were not read at all.</p>
      )}
    </>
  );
}
