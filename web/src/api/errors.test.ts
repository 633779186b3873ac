import { describe, expect, it, vi } from "vitest";

import { ApiError, asApiError, errorOf, sentenceFor } from "./errors";

describe("an error", () => {
  it("keeps the API's code and the id for the log", () => {
    const error = errorOf(503, { error: { code: "not_stored", message: "no", correlation_id: "c-1" } }, "header");
    expect([error.code, error.correlationId, error.temporary]).toEqual(["not_stored", "c-1", true]);
    expect(sentenceFor(error)).toContain("could not be stored");
  });

  it("of validation says the rule that was broken", () => {
    const error = errorOf(422, { detail: [{ loc: ["body", "text"], msg: "Text is empty" }] }, "c-2");
    expect(sentenceFor(error)).toBe("This cannot be answered: Text is empty.");
    expect([error.correlationId, error.temporary]).toEqual(["c-2", false]);
  });

  it("of API Gateway has a sentence too", () => {
    expect(sentenceFor(errorOf(429, { message: "Too Many Requests" }, null))).toContain("Wait a few seconds");
    expect(sentenceFor(errorOf(401, { message: "Unauthorized" }, null))).toContain("Sign in");
    expect(sentenceFor(errorOf(502, null, null))).toContain("does not answer");
  });

  it("without an answer tells offline from unreachable", () => {
    expect(asApiError(new TypeError("Failed to fetch")).code).toBe("unreachable");
    const offline = vi.spyOn(navigator, "onLine", "get").mockReturnValue(false);
    expect(asApiError(new TypeError("Failed to fetch")).code).toBe("offline");
    offline.mockRestore();
    expect(asApiError(new DOMException("", "TimeoutError")).code).toBe("timeout");
  });

  it("of an unknown kind is named", () => {
    expect(sentenceFor(new ApiError(500, "brand_new", "", null))).toContain("brand_new");
  });
});
