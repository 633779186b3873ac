/** Drift runs as time series. */

import type { DriftRun, Feature } from "../api/reports";

export interface FeatureSeries {
  feature: string;
  threshold: number;
  points: { at: string; effect: number; threshold: number; drifted: boolean }[];
  worst: number; // largest effect in units of the threshold
}

/** Return each feature's effects, oldest first; the feature with the largest effect comes first. */
export function seriesOf(runs: readonly DriftRun[]): FeatureSeries[] {
  const found = new Map<string, FeatureSeries>();
  for (const run of [...runs].reverse()) {
    for (const one of featuresOf(run)) {
      const series = found.get(one.feature) ?? { feature: one.feature, threshold: one.threshold, points: [], worst: 0 };
      series.points.push({ at: run.until, effect: one.effect, threshold: one.threshold, drifted: one.drifted });
      series.threshold = one.threshold;
      series.worst = Math.max(series.worst, one.threshold > 0 ? one.effect / one.threshold : 0);
      found.set(one.feature, series);
    }
  }
  return [...found.values()].sort((one, other) => other.worst - one.worst);
}

/** Return the drift threshold of a run; runs of older versions did not record it. */
export const thresholdOf = (run: DriftRun): number | null => run.data_drift?.drift_threshold ?? run.prediction_drift?.drift_threshold ?? null;

export const featuresOf = (run: DriftRun): Feature[] => [
  ...(run.data_drift?.features ?? []),
  ...(run.prediction_drift?.features ?? []),
];
