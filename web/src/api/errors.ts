/** What can go wrong with a request, as one class with a sentence for people. */

import sentences from "./sentences.json";

/** A 422 of the API's own shape, the `{error}` of everything else, or what API Gateway says by itself. */
interface Body {
  error?: { code?: string; message?: string; correlation_id?: string | null };
  detail?: { loc?: (string | number)[]; msg?: string }[];
  message?: string;
}

export class ApiError extends Error {
  constructor(
    readonly status: number, // 0: no answer came
    readonly code: string,
    message: string,
    readonly correlationId: string | null,
  ) {
    super(message);
    this.name = "ApiError";
  }

  /** Whether the same request may well succeed in a moment. */
  get temporary(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** Read an answer that is no success. */
export function errorOf(status: number, body: unknown, correlationId: string | null): ApiError {
  const said = (typeof body === "object" && body !== null ? body : {}) as Body;
  const problem = said.detail?.[0];
  const code = said.error?.code ?? (problem ? "invalid_input" : codeOfStatus(status));
  const message = said.error?.message ?? problem?.msg ?? said.message ?? `HTTP ${status}`;
  return new ApiError(status, code, message, said.error?.correlation_id ?? correlationId);
}

/** Turn whatever was thrown into an ApiError. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const offline = typeof navigator !== "undefined" && navigator.onLine === false;
  const timedOut = error instanceof DOMException && error.name === "TimeoutError";
  const code = offline ? "offline" : timedOut ? "timeout" : "unreachable";
  return new ApiError(0, code, error instanceof Error ? error.message : String(error), null);
}

/** Say in one sentence what happened and what to do. */
export function sentenceFor(error: ApiError): string {
  const sentence = (sentences as Record<string, string>)[error.code];
  if (sentence === undefined) return `Something unexpected happened (${error.code}). Try again in a moment.`;
  return sentence.replace("{message}", error.message);
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
