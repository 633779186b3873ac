/** Cut a text into words with what they weighed, and the gaps between them. */

import type { Explanation } from "../api/client";
import { toneOf } from "../figures";

export type Word = Explanation["words"][number];

export interface Piece {
  text: string;
  weight: number | null; // null: between words
  level: 0 | 1 | 2 | 3; // how much of the heaviest word's weight
  read: boolean;
}

const LEVELS = [0.6, 0.3, 0.1] as const; // shares of the heaviest word's weight

/** Return the whole text in pieces; offsets are code points, as the API counts them. */
export function piecesOf(text: string, { words, truncated }: Pick<Explanation, "words" | "truncated">): Piece[] {
  const characters = Array.from(text);
  const heaviest = Math.max(...words.map((word) => Math.abs(word.weight)), 0);
  const pieces: Piece[] = [];
  let end = 0;
  for (const word of words) {
    if (word.start > end) pieces.push(gap(characters.slice(end, word.start)));
    const share = heaviest > 0 ? Math.abs(word.weight) / heaviest : 0;
    const place = LEVELS.findIndex((least) => share >= least);
    pieces.push({
      text: characters.slice(word.start, word.end).join(""),
      weight: word.weight,
      level: place === -1 ? 0 : ((3 - place) as 1 | 2 | 3),
      read: !(truncated && word.weight === 0),
    });
    end = word.end;
  }
  if (end < characters.length) pieces.push(gap(characters.slice(end)));
  return pieces;
}

/** Return the side that a word pulls to: of a decision for "negative", what speaks for it is on the minus side. */
export function sideOf(weight: number, sentiment: string): "plus" | "minus" {
  return weight > 0 === (toneOf(sentiment) !== "negative") ? "plus" : "minus";
}

/** Return the words that weighed most, the heaviest first. */
export function heaviest(words: readonly Word[], limit: number): Word[] {
  return [...words]
    .filter((word) => word.weight !== 0)
    .sort((one, other) => Math.abs(other.weight) - Math.abs(one.weight))
    .slice(0, limit);
}

const gap = (characters: string[]): Piece => ({ text: characters.join(""), weight: null, level: 0, read: true });
