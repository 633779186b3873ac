import { describe, expect, it, vi } from "vitest";

import { ApiError, asApiError, parseError, userMessage } from "./errors";

describe("an error", () => {
  it("keeps the API's code and correlation id", () => {
    const error = parseError(503, { error: { code: "not_stored", message: "no", correlation_id: "c-1" } }, "header");
    expect([error.code, error.correlationId, error.temporary]).toEqual(["not_stored", "c-1", true]);
    expect(userMessage(error)).toContain("could not be stored");
  });

  it("of validation names the rule", () => {
    const error = parseError(422, { detail: [{ loc: ["body", "text"], msg: "Text is empty" }] }, "c-2");
    expect(userMessage(error)).toBe("Invalid input: Text is empty.");
    expect([error.correlationId, error.temporary]).toEqual(["c-2", false]);
  });

  it("of API Gateway has a message", () => {
    expect(userMessage(parseError(429, { message: "Too Many Requests" }, null))).toContain("Wait a few seconds");
    expect(userMessage(parseError(401, { message: "Unauthorized" }, null))).toContain("Sign in");
    expect(userMessage(parseError(502, null, null))).toContain("not available");
  });

  it("without a response distinguishes offline from unreachable", () => {
    expect(asApiError(new TypeError("Failed to fetch")).code).toBe("unreachable");
    const offline = vi.spyOn(navigator, "onLine", "get").mockReturnValue(false);
    expect(asApiError(new TypeError("Failed to fetch")).code).toBe("offline");
    offline.mockRestore();
    expect(asApiError(new DOMException("", "TimeoutError")).code).toBe("timeout");
  });

  it("with an unknown code shows the code", () => {
    expect(userMessage(new ApiError(500, "brand_new", "", null))).toContain("brand_new");
  });
});
