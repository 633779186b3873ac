/** Request errors as one class, with a message for users. */

import messages from "./messages.json";

/** The body of a 422, of any other error of the API, or of an error of API Gateway. */
interface Body {
  error?: { code?: string; message?: string; correlation_id?: string | null };
  detail?: { loc?: (string | number)[]; msg?: string }[];
  message?: string;
}

export class ApiError extends Error {
  constructor(
    readonly status: number, // 0: no response
    readonly code: string,
    message: string,
    readonly correlationId: string | null,
  ) {
    super(message);
    this.name = "ApiError";
  }

  /** Whether the same request may succeed when retried. */
  get temporary(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** Parse an error response. */
export function parseError(status: number, body: unknown, correlationId: string | null): ApiError {
  const parsed = (typeof body === "object" && body !== null ? body : {}) as Body;
  const problem = parsed.detail?.[0];
  const code = parsed.error?.code ?? (problem ? "invalid_input" : codeOfStatus(status));
  const message = parsed.error?.message ?? problem?.msg ?? parsed.message ?? `HTTP ${status}`;
  return new ApiError(status, code, message, parsed.error?.correlation_id ?? correlationId);
}

/** Convert anything thrown to an ApiError. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const offline = typeof navigator !== "undefined" && navigator.onLine === false;
  const timedOut = error instanceof DOMException && error.name === "TimeoutError";
  const code = offline ? "offline" : timedOut ? "timeout" : "unreachable";
  return new ApiError(0, code, error instanceof Error ? error.message : String(error), null);
}

/** Return a sentence that says what happened and what to do. */
export function userMessage(error: ApiError): string {
  const message = (messages as Record<string, string>)[error.code];
  if (message === undefined) return `Unexpected error (${error.code}). Try again in a moment.`;
  return message.replace("{message}", error.message);
}

function codeOfStatus(status: number): string {
  if (status === 401) return "not_signed_in";
  if (status === 403) return "forbidden";
  if (status === 404) return "not_found";
  if (status === 413) return "payload_too_large";
  if (status === 429) return "too_many_requests";
  if (status === 502 || status === 503 || status === 504) return "unavailable";
  return status >= 500 ? "internal_error" : "bad_request";
}
