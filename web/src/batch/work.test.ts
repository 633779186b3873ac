import { act, renderHook } from "@testing-library/react";
import { describe, expect, it } from "vitest";

import { ApiError } from "../api/errors";
import type { Send } from "./send";
import { cancel, saved, start, useWork } from "./work";

const answer: Send = async (texts) =>
  texts.map((text) => ({ prediction_id: `of ${text}`, sentiment: "positive", confidence: 0.9, model_version: "m", truncated: false, inference_time_ms: 1 }));
const texts = Array.from({ length: 70 }, (_, number) => `text ${number}`);
const given = { texts, places: texts.map((_, number) => number + 1) };

describe("the work on many texts", () => {
  it("goes on without the page, and is there when it comes back", async () => {
    const first = renderHook(useWork);
    const ended = start(given, [], answer);
    first.unmount();
    await ended;
    const { result } = renderHook(useWork);
    expect(result.current.state).toBe("done");
    expect(result.current.rows.map((row) => row.predictionId)).toEqual(texts.map((text) => `of ${text}`));
  });

  it("keeps what was answered when it is cancelled or fails, and goes on from there", async () => {
    const { result } = renderHook(useWork);
    const failAt = (request: number, fail: () => void): Send => {
      let asked = 0;
      return async (chunk, signal) => {
        asked += 1;
        if (asked === request) fail();
        signal.throwIfAborted();
        return answer(chunk, signal);
      };
    };
    await act(() => start(given, [], failAt(2, cancel)));
    expect([result.current.state, result.current.rows.length]).toEqual(["cancelled", 32]);
    const refuse = () => {
      throw new ApiError(422, "invalid_input", "", null);
    };
    await act(() => start(result.current, result.current.rows, failAt(2, refuse)));
    expect([result.current.state, result.current.rows.length]).toEqual(["failed", 64]);
    await act(() => start(result.current, result.current.rows, answer));
    expect([result.current.state, result.current.rows.length]).toEqual(["done", 70]);
  });

  it("has the browser ask before its answers are lost, until they are in a file", async () => {
    const closes = () => window.dispatchEvent(new Event("beforeunload", { cancelable: true }));
    await act(() => start(given, [], answer));
    expect(closes()).toBe(false);
    act(saved);
    expect(closes()).toBe(true);
  });
});
