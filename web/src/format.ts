/** Formats numbers, times and labels. */

export const percent = (share: number | null | undefined, digits = 1): string =>
  share === null || share === undefined ? "–" : `${(100 * share).toFixed(digits)}%`;

export function milliseconds(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  if (value > 0 && value < 0.005) return "under 0.01 ms"; // from the cache
  return `${value === 0 ? 0 : value.toFixed(value < 1 ? 2 : value < 10 ? 1 : 0)} ms`;
}

export const count = (value: number): string => value.toLocaleString("en");

export const moment = (iso: string): string =>
  new Date(iso).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });

/** Return the tone of a label: positive and negative have a color and a sign, others are neutral. */
export function toneOf(label: string): "positive" | "negative" | "neutral" {
  if (label === "positive" || label === "negative") return label;
  return "neutral";
}

export const SIGNS = { positive: "+", negative: "−", neutral: "•" } as const;
