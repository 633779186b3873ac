import { describe, expect, it } from "vitest";

import type { ReviewItem } from "../api/reports";
import { agreement, EMPTY, queue } from "./queue";

const item = (id: string, sentiment = "positive") => ({ id, sentiment }) as ReviewItem;
const loaded = queue(EMPTY, { type: "loaded", items: [item("a"), item("b", "negative")] });

describe("the queue", () => {
  it("advances with each label, and back with undo", () => {
    const labeled = queue(loaded, { type: "labeled", label: "positive" });
    expect(labeled.left.map(({ id }) => id)).toEqual(["b"]);
    expect(queue(labeled, { type: "undone" })).toEqual(loaded);
  });

  it("counts agreement over labels, not over skipped items", () => {
    const skipped = queue(loaded, { type: "skipped" });
    const both = queue(skipped, { type: "labeled", label: "positive" });
    expect(agreement(both.done)).toEqual({ labeled: 1, agreed: 0 });
    expect(both.left).toEqual([]);
  });

  it("does not repeat finished items when more are fetched", () => {
    const labeled = queue(loaded, { type: "labeled", label: "positive" });
    const more = queue(labeled, { type: "loaded", items: [item("a"), item("b"), item("c")] });
    expect(more.left.map(({ id }) => id)).toEqual(["b", "c"]);
  });

  it("is finished after the last item, until more are fetched", () => {
    const last = queue(queue(loaded, { type: "skipped" }), { type: "labeled", label: "negative" });
    expect([loaded.finished, last.finished]).toEqual([false, true]);
    expect(queue(last, { type: "undone" }).finished).toBe(false);
    expect(queue(last, { type: "loaded", items: [item("a")] })).toEqual({ ...last, left: [], finished: false });
  });

  it("does not change when empty", () => {
    expect(queue(EMPTY, { type: "labeled", label: "positive" })).toEqual(EMPTY);
    expect(queue(EMPTY, { type: "undone" })).toEqual(EMPTY);
  });
});
