import { act, renderHook } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { giveFeedback } from "../api/client";
import { HOLD_MS, useLabels } from "./labels";

vi.mock("../api/client", () => ({ giveFeedback: vi.fn() }));
const given = vi.mocked(giveFeedback);
const settle = () => act(() => vi.advanceTimersByTimeAsync(HOLD_MS));

describe("labels on their way", () => {
  beforeEach(() => {
    vi.useFakeTimers();
    window.sessionStorage.clear();
    given.mockReset().mockResolvedValue({});
  });
  afterEach(() => void vi.useRealTimers());

  it("are sent after a while, or at once when the next one comes or the page goes", async () => {
    const { result, unmount } = renderHook(useLabels);
    act(() => result.current.hold({ id: "a", label: "positive" }));
    expect(given).not.toHaveBeenCalled();
    act(() => result.current.hold({ id: "b", label: "negative" }));
    expect(given.mock.calls).toEqual([["a", "positive"]]);
    await settle();
    expect(given).toHaveBeenCalledTimes(2);
    act(() => result.current.hold({ id: "c", label: "positive" }));
    unmount();
    expect(given).toHaveBeenLastCalledWith("c", "positive");
  });

  it("are never sent when they were taken back in time", async () => {
    const { result } = renderHook(useLabels);
    act(() => result.current.hold({ id: "a", label: "positive" }));
    act(() => result.current.takeBack("a"));
    await settle();
    expect(given).not.toHaveBeenCalled();
  });

  it("are all kept when they cannot be sent, also for the page that comes after", async () => {
    given.mockRejectedValue(new Error("down"));
    const first = renderHook(useLabels);
    for (const id of ["a", "b"]) {
      act(() => first.result.current.hold({ id, label: "positive" }));
      await settle();
    }
    first.unmount();
    const { result } = renderHook(useLabels);
    expect(result.current.unsent).toEqual([
      { id: "a", label: "positive" },
      { id: "b", label: "positive" },
    ]);
    given.mockResolvedValue({});
    act(() => result.current.resend());
    await settle();
    expect(result.current.unsent).toEqual([]);
    expect(given).toHaveBeenLastCalledWith("b", "positive");
  });

  it("leave when a failed one is undone", async () => {
    given.mockRejectedValueOnce(new Error("down"));
    const { result } = renderHook(useLabels);
    act(() => result.current.hold({ id: "a", label: "positive" }));
    await settle();
    act(() => result.current.takeBack("a"));
    expect(result.current.unsent).toEqual([]);
  });
});
