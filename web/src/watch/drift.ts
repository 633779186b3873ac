/** Drift runs as series over time. */

import type { DriftRun, Feature } from "../api/reports";

export interface FeatureSeries {
  feature: string;
  threshold: number;
  points: { at: string; effect: number; threshold: number; drifted: boolean }[];
  worst: number; // the largest effect in units of its threshold
}

/** Return each feature's effects, oldest first; the feature that went furthest beyond its threshold leads. */
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

/** Return what share of the aspects must move for drift; runs of an older monitor did not record it. */
export const limitOf = (run: DriftRun): number | null => run.data_drift?.drift_threshold ?? run.prediction_drift?.drift_threshold ?? null;

export const featuresOf = (run: DriftRun): Feature[] => [
  ...(run.data_drift?.features ?? []),
  ...(run.prediction_drift?.features ?? []),
];
