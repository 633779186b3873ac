import { describe, expect, it } from "vitest";

import { milliseconds } from "./format";

describe("a time", () => {
  it("has two significant digits", () => {
    expect([12.34, 8.15, 0.456].map(milliseconds)).toEqual(["12 ms", "8.2 ms", "0.46 ms"]);
  });

  it("is not shown as zero when it is not", () => {
    expect([0.0034, 0, null].map(milliseconds)).toEqual(["under 0.01 ms", "0 ms", "–"]);
  });
});
