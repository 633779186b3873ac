import { act, renderHook } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

const giveFeedback = vi.fn<(id: string, label: string) => Promise<unknown>>();
vi.mock("../api/client", () => ({ giveFeedback }));

type Labels = typeof import("./labels");

/** Load the labels as a page does that was just opened: with what the tab kept, and nothing else. */
async function opened(): Promise<Labels & { left: () => unknown }> {
  vi.resetModules();
  const labels = await import("./labels");
  const { result } = renderHook(labels.useUnsent);
  return { ...labels, left: () => result.current.labels };
}

const a = { id: "a", label: "positive" };
const b = { id: "b", label: "negative" };

describe("labels on their way", () => {
  let page: Awaited<ReturnType<typeof opened>>;
  const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));

  beforeEach(async () => {
    vi.useFakeTimers();
    window.sessionStorage.clear();
    giveFeedback.mockReset().mockResolvedValue({});
    page = await opened();
  });
  afterEach(() => void vi.useRealTimers());

  it("are sent each after its own while, or at once when the page goes", async () => {
    page.hold(a);
    await pass(page.HOLD_MS / 2);
    page.hold(b);
    await pass(page.HOLD_MS / 2);
    expect(giveFeedback.mock.calls).toEqual([["a", "positive"]]);
    window.dispatchEvent(new Event("pagehide"));
    expect(giveFeedback).toHaveBeenLastCalledWith("b", "negative");
  });

  it("are never sent when they were taken back in time, whichever of them", async () => {
    page.hold(a);
    page.hold(b);
    expect(page.takeBack("a")).toBe(true);
    await pass(page.HOLD_MS);
    expect(giveFeedback.mock.calls).toEqual([["b", "negative"]]);
    expect(page.takeBack("b")).toBe(false);
  });

  it("are all kept when they cannot be sent, also for the page that comes after", async () => {
    giveFeedback.mockRejectedValue(new Error("down"));
    page.hold(a);
    page.hold(b);
    await pass(page.HOLD_MS);
    expect(page.left()).toEqual([a, b]);
    page = await opened();
    expect(page.left()).toEqual([a, b]);
    giveFeedback.mockReset().mockResolvedValue({});
    expect(await act(() => page.settle())).toEqual([]);
    expect(giveFeedback.mock.calls).toEqual([
      ["a", "positive"],
      ["b", "negative"],
    ]);
    expect(page.left()).toEqual([]);
  });

  it("are kept while they are held or under way, as the page may be gone before an answer", async () => {
    giveFeedback.mockReturnValue(new Promise(() => {}));
    page.hold(a);
    await pass(page.HOLD_MS);
    page.hold(b);
    expect(page.left()).toEqual([]);
    expect((await opened()).left()).toEqual([a, b]);
  });

  it("go out one after the other, so that a correction is the last word", async () => {
    let fail = (_: Error) => {};
    giveFeedback.mockImplementationOnce(() => new Promise((_, reject) => (fail = reject)));
    page.hold(a);
    await pass(page.HOLD_MS);
    expect(page.takeBack("a")).toBe(false);
    page.hold({ ...a, label: "negative" });
    await pass(page.HOLD_MS);
    expect(giveFeedback).toHaveBeenCalledTimes(1);
    fail(new Error("too slow"));
    await pass(0);
    expect(giveFeedback.mock.calls).toEqual([
      ["a", "positive"],
      ["a", "negative"],
    ]);
    expect(page.left()).toEqual([]);
  });

  it("leave when a failed one is undone, or all are given up", async () => {
    giveFeedback.mockRejectedValue(new Error("down"));
    page.hold(a);
    page.hold(b);
    await pass(page.HOLD_MS);
    act(() => expect(page.takeBack("a")).toBe(true));
    expect(page.left()).toEqual([b]);
    act(page.forget);
    expect(page.left()).toEqual([]);
  });
});
