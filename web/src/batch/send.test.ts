import { describe, expect, it } from "vitest";

import type { BatchResult } from "../api/client";
import { ApiError } from "../api/errors";
import type { Row } from "./rows";
import { splitIntoRequests, type Send, sendAll } from "./send";

const predict = (text: string): BatchResult => ({
  prediction_id: `of ${text}`,
  sentiment: "positive",
  confidence: 0.9,
  model_version: "m",
  truncated: false,
  inference_time_ms: 1,
});
const predictAll: Send = async (texts) => texts.map(predict);
const noWait = async () => {};

async function collect(texts: string[], signal: AbortSignal, send: Send): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const some of sendAll(texts, signal, send, noWait)) rows.push(...some);
  return rows;
}

describe("many texts", () => {
  it("are sent in order, in requests of 32 and below the API's size limit", () => {
    const texts = Array.from({ length: 70 }, (_, number) => `text ${number}`);
    expect(splitIntoRequests(texts).map((chunk) => chunk.length)).toEqual([32, 32, 6]);
    expect(splitIntoRequests(texts).flat()).toEqual(texts);
    const long = "\u0001".repeat(5_000); // 30 kB each as JSON
    const sent = splitIntoRequests(Array.from({ length: 64 }, () => long));
    expect(sent.map((chunk) => chunk.length)).toEqual([23, 23, 18]);
    for (const chunk of sent) expect(new TextEncoder().encode(JSON.stringify(chunk)).length).toBeLessThan(700_100);
  });

  it("have their results in order", async () => {
    const texts = Array.from({ length: 40 }, (_, number) => `text ${number}`);
    const rows = await collect(texts, new AbortController().signal, predictAll);
    expect(rows.map((row) => row.predictionId)).toEqual(texts.map((text) => `of ${text}`));
  });

  it("are retried after a temporary failure", async () => {
    let calls = 0;
    const rows = await collect(["a"], new AbortController().signal, async (texts) => {
      calls += 1;
      if (calls < 3) throw new ApiError(503, "not_stored", "", null);
      return texts.map(predict);
    });
    expect([calls, rows.length]).toEqual([3, 1]);
  });

  it("stop at a permanent failure, and at the fourth temporary one", async () => {
    for (const [status, expected] of [
      [422, 1],
      [503, 4],
    ] as const) {
      let calls = 0;
      const fail: Send = async () => {
        calls += 1;
        throw new ApiError(status, "x", "", null);
      };
      await expect(collect(["a"], new AbortController().signal, fail)).rejects.toThrow(ApiError);
      expect(calls).toBe(expected);
    }
  });

  it("stop when aborted", async () => {
    const stop = new AbortController();
    const rows: Row[] = [];
    const work = (async () => {
      for await (const some of sendAll(Array(96).fill("x"), stop.signal, predictAll, noWait)) {
        rows.push(...some);
        stop.abort();
      }
    })();
    await expect(work).rejects.toThrow();
    expect(rows).toHaveLength(32);
  });

  it("may fail individually", async () => {
    const send: Send = async () => [{ error: { code: "invalid_input", message: "Text must not be empty" } }];
    const [row] = await collect([" "], new AbortController().signal, send);
    expect(row?.error).toBe("Invalid input: Text must not be empty.");
  });
});
