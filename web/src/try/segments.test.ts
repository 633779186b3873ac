import { describe, expect, it } from "vitest";

import { mostImportantWords, segmentsOf, directionOf } from "./segments";
import { charactersOf } from "./text";

const word = (text: string, start: number, weight: number) => ({ text, start, end: start + Array.from(text).length, weight });

describe("the segments of a text", () => {
  it("join to the whole text, including gaps", () => {
    const text = "  Dull plot,\nsuperb acting. ";
    const words = [word("Dull", 2, -1), word("plot", 7, 0.1), word("superb", 13, 2), word("acting", 20, 0.5)];
    const segments = segmentsOf(text, { words, truncated: false });
    expect(segments.map((segment) => segment.text).join("")).toBe(text);
    expect(segments.filter((segment) => segment.weight !== null)).toHaveLength(4);
  });

  it("have offsets in code points, as in the API", () => {
    const text = "😀 superb";
    const [, , marked] = [null, ...segmentsOf(text, { words: [word("superb", 2, 1)], truncated: false })];
    expect(marked?.text).toBe("superb");
    expect(charactersOf("😀")).toBe(1);
  });

  it("have levels relative to the largest weight", () => {
    const words = [word("a", 0, 10), word("b", 2, -4), word("c", 4, 1.5), word("d", 6, 0.5)];
    const graded = segmentsOf("a b c d", { words, truncated: false }).filter((segment) => segment.weight !== null);
    expect(graded.map((segment) => segment.level)).toEqual([3, 2, 1, 0]);
  });

  it("point to minus for negative, whatever the decision", () => {
    const sides = (sentiment: string) => [1, -1].map((weight) => directionOf(weight, sentiment));
    expect(sides("positive")).toEqual(["plus", "minus"]);
    expect(sides("negative")).toEqual(["minus", "plus"]);
    expect(sides("delivery")).toEqual(["plus", "minus"]);
  });

  it("are marked as unread only if the text was truncated", () => {
    const words = [word("a", 0, 1), word("b", 2, 0)];
    expect(segmentsOf("a b", { words, truncated: true }).map((segment) => segment.read)).toEqual([true, true, false]);
    expect(segmentsOf("a b", { words, truncated: false }).every((segment) => segment.read)).toBe(true);
  });

  it("are listed by absolute weight", () => {
    const words = [word("a", 0, 1), word("b", 2, -3), word("c", 4, 0)];
    expect(mostImportantWords(words, 5).map((one) => one.text)).toEqual(["b", "a"]);
  });
});
