/** Splits a text into words with their weights, and the gaps between them. */

import type { Explanation } from "../api/client";
import { toneOf } from "../format";

export type Word = Explanation["words"][number];

export interface Segment {
  text: string;
  weight: number | null; // null: between words
  level: 0 | 1 | 2 | 3; // relative to the largest weight
  read: boolean;
}

const LEVELS = [0.6, 0.3, 0.1] as const; // shares of the largest weight

/** Return the whole text as segments; offsets are code points, as the API counts them. */
export function segmentsOf(text: string, { words, truncated }: Pick<Explanation, "words" | "truncated">): Segment[] {
  const characters = Array.from(text);
  const largest = Math.max(...words.map((word) => Math.abs(word.weight)), 0);
  const segments: Segment[] = [];
  let end = 0;
  for (const word of words) {
    if (word.start > end) segments.push(gap(characters.slice(end, word.start)));
    const share = largest > 0 ? Math.abs(word.weight) / largest : 0;
    const step = LEVELS.findIndex((least) => share >= least);
    segments.push({
      text: characters.slice(word.start, word.end).join(""),
      weight: word.weight,
      level: step === -1 ? 0 : ((3 - step) as 1 | 2 | 3),
      read: !(truncated && word.weight === 0),
    });
    end = word.end;
  }
  if (end < characters.length) segments.push(gap(characters.slice(end)));
  return segments;
}

/** Return the direction of a word: words for a "negative" decision point to minus. */
export function directionOf(weight: number, sentiment: string): "plus" | "minus" {
  return weight > 0 === (toneOf(sentiment) !== "negative") ? "plus" : "minus";
}

/** Return the words with the largest weights, in descending order. */
export function mostImportantWords(words: readonly Word[], limit: number): Word[] {
  return [...words]
    .filter((word) => word.weight !== 0)
    .sort((one, other) => Math.abs(other.weight) - Math.abs(one.weight))
    .slice(0, limit);
}

const gap = (characters: string[]): Segment => ({ text: characters.join(""), weight: null, level: 0, read: true });
