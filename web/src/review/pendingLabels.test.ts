import { act, renderHook } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

const giveFeedback = vi.fn<(id: string, label: string) => Promise<unknown>>();
vi.mock("../api/client", () => ({ giveFeedback }));

type Labels = typeof import("./pendingLabels");

/** Load the module as on a new page: with the tab's storage and no other state. */
async function openPage(): Promise<Labels & { unsent: () => unknown }> {
  vi.resetModules();
  const labels = await import("./pendingLabels");
  const { result } = renderHook(labels.useUnsent);
  return { ...labels, unsent: () => result.current.labels };
}

const a = { id: "a", label: "positive" };
const b = { id: "b", label: "negative" };

describe("pending labels", () => {
  let page: Awaited<ReturnType<typeof openPage>>;
  const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));

  beforeEach(async () => {
    vi.useFakeTimers();
    window.sessionStorage.clear();
    giveFeedback.mockReset().mockResolvedValue({});
    page = await openPage();
  });
  afterEach(() => void vi.useRealTimers());

  it("are sent after their hold time, or at once when the page is closed", async () => {
    page.holdLabel(a);
    await pass(page.HOLD_MS / 2);
    page.holdLabel(b);
    await pass(page.HOLD_MS / 2);
    expect(giveFeedback.mock.calls).toEqual([["a", "positive"]]);
    window.dispatchEvent(new Event("pagehide"));
    expect(giveFeedback).toHaveBeenLastCalledWith("b", "negative");
  });

  it("are not sent if withdrawn in time", async () => {
    page.holdLabel(a);
    page.holdLabel(b);
    expect(page.withdraw("a")).toBe(true);
    await pass(page.HOLD_MS);
    expect(giveFeedback.mock.calls).toEqual([["b", "negative"]]);
    expect(page.withdraw("b")).toBe(false);
  });

  it("are kept if they cannot be sent, also after a reload", async () => {
    giveFeedback.mockRejectedValue(new Error("down"));
    page.holdLabel(a);
    page.holdLabel(b);
    await pass(page.HOLD_MS);
    expect(page.unsent()).toEqual([a, b]);
    page = await openPage();
    expect(page.unsent()).toEqual([a, b]);
    giveFeedback.mockReset().mockResolvedValue({});
    expect(await act(() => page.sendPending())).toEqual([]);
    expect(giveFeedback.mock.calls).toEqual([
      ["a", "positive"],
      ["b", "negative"],
    ]);
    expect(page.unsent()).toEqual([]);
  });

  it("are kept while held or in flight, because the page may be closed before a response", async () => {
    giveFeedback.mockReturnValue(new Promise(() => {}));
    page.holdLabel(a);
    await pass(page.HOLD_MS);
    page.holdLabel(b);
    expect(page.unsent()).toEqual([]);
    expect((await openPage()).unsent()).toEqual([a, b]);
  });

  it("are sent one after another, so that a correction is stored last", async () => {
    let fail = (_: Error) => {};
    giveFeedback.mockImplementationOnce(() => new Promise((_, reject) => (fail = reject)));
    page.holdLabel(a);
    await pass(page.HOLD_MS);
    expect(page.withdraw("a")).toBe(false);
    page.holdLabel({ ...a, label: "negative" });
    await pass(page.HOLD_MS);
    expect(giveFeedback).toHaveBeenCalledTimes(1);
    fail(new Error("too slow"));
    await pass(0);
    expect(giveFeedback.mock.calls).toEqual([
      ["a", "positive"],
      ["a", "negative"],
    ]);
    expect(page.unsent()).toEqual([]);
  });

  it("are removed when withdrawn or discarded after a failure", async () => {
    giveFeedback.mockRejectedValue(new Error("down"));
    page.holdLabel(a);
    page.holdLabel(b);
    await pass(page.HOLD_MS);
    act(() => expect(page.withdraw("a")).toBe(true));
    expect(page.unsent()).toEqual([b]);
    act(page.discardUnsent);
    expect(page.unsent()).toEqual([]);
  });
});
