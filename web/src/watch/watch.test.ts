import { describe, expect, it } from "vitest";

import type { Alert, DriftRun } from "../api/reports";
import { factsOf, written } from "./Alerts";
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

  it("is written by the clock while it is short, and by both where a day has several points", () => {
    expect(tick("2026-11-25T10:30:00", 24)).toBe("10:30");
    expect(tick("2026-11-25T10:30:00", 168)).toBe("25 Nov, 10:30");
    expect(tick("2026-11-25T10:30:00", 744)).toBe("25 Nov");
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
    expect(written([{ feature: "tokens", effect: 0.41234, threshold: 0.1 }])).toBe("tokens 0.412 (threshold 0.100)");
    expect(written({ negative: 0.25, positive: 3 })).toBe("negative 0.250, positive 3");
    expect(written([{ feature: "words", effect: 0, threshold: 0.1, drifted: false }])).toBe("words 0 (threshold 0.100, not moved)");
    expect(written("2026-11-25T16:44:01.917657+00:00")).toMatch(/^25 Nov 2026, /);
    expect([written(null), written([]), written(true)]).toEqual(["–", "–", "true"]);
  });

  it("come with what moved in front, and without what is empty or said elsewhere", () => {
    const details = { retraining: null, rows: 256, report_uri: "s3://b/k", drifted: true, features: [{ feature: "tokens", effect: 1, threshold: 0.5 }] };
    const alert = { kind: "data_drift", details, seen_at: "2026-11-25T16:00:00Z", notified_at: null } as unknown as Alert;
    expect(factsOf(alert).map(([name]) => name)).toEqual(["kind", "features", "rows", "last seen", "told"]);
  });
});
