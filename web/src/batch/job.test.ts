import { act, renderHook } from "@testing-library/react";
import { describe, expect, it } from "vitest";

import { ApiError } from "../api/errors";
import type { Send } from "./send";
import { cancel, markSaved, start, useBatchJob } from "./job";

const predictAll: Send = async (texts) =>
  texts.map((text) => ({ prediction_id: `of ${text}`, sentiment: "positive", confidence: 0.9, model_version: "m", truncated: false, inference_time_ms: 1 }));
const texts = Array.from({ length: 70 }, (_, number) => `text ${number}`);
const input = { texts, rowNumbers: texts.map((_, index) => index + 1) };

describe("the batch job", () => {
  it("continues without its page and keeps its results", async () => {
    const first = renderHook(useBatchJob);
    const ended = start(input, [], predictAll);
    first.unmount();
    await ended;
    const { result } = renderHook(useBatchJob);
    expect(result.current.state).toBe("done");
    expect(result.current.rows.map((row) => row.predictionId)).toEqual(texts.map((text) => `of ${text}`));
  });

  it("keeps its results when canceled or failed, and resumes", async () => {
    const { result } = renderHook(useBatchJob);
    const failAt = (request: number, fail: () => void): Send => {
      let requests = 0;
      return async (chunk, signal) => {
        requests += 1;
        if (requests === request) fail();
        signal.throwIfAborted();
        return predictAll(chunk, signal);
      };
    };
    await act(() => start(input, [], failAt(2, cancel)));
    expect([result.current.state, result.current.rows.length]).toEqual(["canceled", 32]);
    const reject = () => {
      throw new ApiError(422, "invalid_input", "", null);
    };
    await act(() => start(result.current, result.current.rows, failAt(2, reject)));
    expect([result.current.state, result.current.rows.length]).toEqual(["failed", 64]);
    await act(() => start(result.current, result.current.rows, predictAll));
    expect([result.current.state, result.current.rows.length]).toEqual(["done", 70]);
  });

  it("makes the browser ask before closing, until the results are downloaded", async () => {
    const closes = () => window.dispatchEvent(new Event("beforeunload", { cancelable: true }));
    await act(() => start(input, [], predictAll));
    expect(closes()).toBe(false);
    act(markSaved);
    expect(closes()).toBe(true);
  });
});
