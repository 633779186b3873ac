import { describe, expect, it } from "vitest";

import { heaviest, piecesOf, sideOf } from "./pieces";
import { charactersOf } from "./text";

const word = (text: string, start: number, weight: number) => ({ text, start, end: start + Array.from(text).length, weight });

describe("a text in pieces", () => {
  it("is the whole text again, gaps included", () => {
    const text = "  Dull plot,\nsuperb acting. ";
    const words = [word("Dull", 2, -1), word("plot", 7, 0.1), word("superb", 13, 2), word("acting", 20, 0.5)];
    const pieces = piecesOf(text, { words, truncated: false });
    expect(pieces.map((piece) => piece.text).join("")).toBe(text);
    expect(pieces.filter((piece) => piece.weight !== null)).toHaveLength(4);
  });

  it("counts code points, as the API does, and not what JavaScript counts", () => {
    const text = "😀 superb";
    const [, , marked] = [null, ...piecesOf(text, { words: [word("superb", 2, 1)], truncated: false })];
    expect(marked?.text).toBe("superb");
    expect(charactersOf("😀")).toBe(1);
  });

  it("grades words by the heaviest one", () => {
    const words = [word("a", 0, 10), word("b", 2, -4), word("c", 4, 1.5), word("d", 6, 0.5)];
    const graded = piecesOf("a b c d", { words, truncated: false }).filter((piece) => piece.weight !== null);
    expect(graded.map((piece) => piece.level)).toEqual([3, 2, 1, 0]);
  });

  it("puts what speaks for negative on the minus side, whichever the decision", () => {
    const sides = (sentiment: string) => [1, -1].map((weight) => sideOf(weight, sentiment));
    expect(sides("positive")).toEqual(["plus", "minus"]);
    expect(sides("negative")).toEqual(["minus", "plus"]);
    expect(sides("delivery")).toEqual(["plus", "minus"]);
  });

  it("tells what was not read only where something was left out", () => {
    const words = [word("a", 0, 1), word("b", 2, 0)];
    expect(piecesOf("a b", { words, truncated: true }).map((piece) => piece.read)).toEqual([true, true, false]);
    expect(piecesOf("a b", { words, truncated: false }).every((piece) => piece.read)).toBe(true);
  });

  it("lists the heaviest words first, whatever their sign", () => {
    const words = [word("a", 0, 1), word("b", 2, -3), word("c", 4, 0)];
    expect(heaviest(words, 5).map((one) => one.text)).toEqual(["b", "a"]);
  });
});
