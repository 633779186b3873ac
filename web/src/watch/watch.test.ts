import { describe, expect, it } from "vitest";

import type { Alert, DriftRun } from "../api/reports";
import { detailsOf, formatValue } from "./Alerts";
import { seriesOf } from "./drift";
import { daysOf, hoursOf, tick } from "./range";

describe("the time range", () => {
  it("comes from the URL, or is a day", () => {
    expect(hoursOf("?hours=168")).toBe(168);
    for (const invalid of ["", "?hours=x", "?hours=0", "?hours=1000", "?hours=1.5"]) expect(hoursOf(invalid)).toBe(24);
  });

  it("covers whole days for accuracy, at most a month", () => {
    expect([daysOf(1), daysOf(24), daysOf(744)]).toEqual([2, 2, 31]);
  });

  it("has times for a day, dates for a month, and both for a week", () => {
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

  it("has a series per feature, oldest first, the largest effect first", () => {
    const series = seriesOf([run("t2", 0.05, 0.3), run("t1", 0.02, 0.01)]);
    expect(series.map((one) => one.feature)).toEqual(["language", "tokens"]);
    expect(series[0]?.points.map((point) => point.at)).toEqual(["t1", "t2"]);
    expect(series[0]?.worst).toBeCloseTo(3);
  });
});

describe("the details of an alert", () => {
  it("are readable", () => {
    expect(formatValue([{ phrase: "bitte", z: 4.8 }, { phrase: "fehler", z: 4 }])).toBe("“bitte”, “fehler”");
    expect(formatValue([{ feature: "tokens", effect: 0.41234, threshold: 0.1 }])).toBe("tokens 0.412 (threshold 0.100)");
    expect(formatValue({ negative: 0.25, positive: 3 })).toBe("negative 0.250, positive 3");
    expect(formatValue([{ feature: "words", effect: 0, threshold: 0.1, drifted: false }])).toBe("words 0 (threshold 0.100, not drifted)");
    expect(formatValue("2026-11-25T16:44:01.917657+00:00")).toMatch(/^25 Nov 2026, /);
    expect([formatValue(null), formatValue([]), formatValue(true)]).toEqual(["–", "–", "true"]);
  });

  it("start with the features, and have no empty or redundant values", () => {
    const details = { retraining: null, rows: 256, report_uri: "s3://b/k", drifted: true, features: [{ feature: "tokens", effect: 1, threshold: 0.5 }] };
    const alert = { kind: "data_drift", details, seen_at: "2026-11-25T16:00:00Z", notified_at: null } as unknown as Alert;
    expect(detailsOf(alert).map(([name]) => name)).toEqual(["kind", "features", "rows", "last seen", "notified"]);
  });
});
