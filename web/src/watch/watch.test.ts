import { describe, expect, it } from "vitest";

import type { DriftRun } from "../api/reports";
import { written } from "./Alerts";
import { seriesOf } from "./drift";
import { daysOf, hoursOf, tick } from "./range";

describe("the span of time", () => {
  it("is what the address says, or a day", () => {
    expect(hoursOf("?hours=168")).toBe(168);
    for (const nonsense of ["", "?hours=x", "?hours=0", "?hours=1000", "?hours=1.5"]) expect(hoursOf(nonsense)).toBe(24);
  });

  it("covers whole days for accuracy, at most a month", () => {
    expect([daysOf(1), daysOf(24), daysOf(744)]).toEqual([2, 2, 31]);
  });

  it("is written by the clock while it is short", () => {
    expect(tick("2026-11-25T10:30:00", 24)).toBe("10:30");
    expect(tick("2026-11-25T10:30:00", 168)).toBe("25 Nov");
  });
});

describe("drift over time", () => {
  const feature = (name: string, effect: number) => ({ feature: name, method: "psi", effect, threshold: 0.1, drifted: effect > 0.1 });
  const run = (until: string, tokens: number, language: number) =>
    ({
      until,
      data_drift: { drifted: false, score: 0, features: [feature("tokens", tokens), feature("language", language)] },
      prediction_drift: null,
    }) as unknown as DriftRun;

  it("is a series for each feature, oldest first, the worst in front", () => {
    const series = seriesOf([run("t2", 0.05, 0.3), run("t1", 0.02, 0.01)]);
    expect(series.map((one) => one.feature)).toEqual(["language", "tokens"]);
    expect(series[0]?.points.map((point) => point.at)).toEqual(["t1", "t2"]);
    expect(series[0]?.worst).toBeCloseTo(3);
  });
});

describe("the figures of an alert", () => {
  it("are lines for people", () => {
    expect(written([{ phrase: "bitte", z: 4.8 }, { phrase: "fehler", z: 4 }])).toBe("“bitte”, “fehler”");
    expect(written([{ feature: "tokens", effect: 0.41234, threshold: 0.1 }])).toBe("tokens (0.412, threshold 0.100)");
    expect(written({ negative: 0.25, positive: 3 })).toBe("negative 0.250, positive 3");
    expect([written(null), written([]), written(true)]).toEqual(["–", "–", "true"]);
  });
});
