/** Sends many texts in requests that the API accepts, one after another, and retries temporary failures. */

import { type BatchResult, predictBatch } from "../api/client";
import { asApiError, userMessage } from "../api/errors";
import type { Row } from "./rows";

const CHUNK_TEXTS = 32; // half of the API's limit: shows progress, and a cold start fits into the time-out
const CHUNK_BYTES = 700_000; // of the 1 MiB limit of a body, including JSON escapes
const ATTEMPTS = 4;
const FIRST_WAIT_MS = 500;

export type Send = (texts: string[], signal: AbortSignal) => Promise<BatchResult[]>;
type Wait = (ms: number, signal: AbortSignal) => Promise<void>;

/** Split texts into requests by number and size, in order. */
export function splitIntoRequests(texts: readonly string[]): string[][] {
  const requests: string[][] = [];
  const encoder = new TextEncoder();
  let bytes = Infinity;
  for (const text of texts) {
    const size = encoder.encode(JSON.stringify(text)).length;
    const last = requests.at(-1);
    if (!last || last.length === CHUNK_TEXTS || bytes + size > CHUNK_BYTES) {
      requests.push([text]);
      bytes = size;
    } else {
      last.push(text);
      bytes += size;
    }
  }
  return requests;
}

/** Yield the rows of each request; throws when aborted or when a request fails permanently. */
export async function* sendAll(
  texts: readonly string[],
  signal: AbortSignal,
  send: Send = predictBatch,
  wait: Wait = pause,
): AsyncGenerator<Row[]> {
  for (const chunk of splitIntoRequests(texts)) {
    yield (await sendWithRetry(chunk, signal, send, wait)).map((result, index) => toRow(chunk[index] ?? "", result));
  }
}

async function sendWithRetry(chunk: string[], signal: AbortSignal, send: Send, wait: Wait): Promise<BatchResult[]> {
  for (let attempt = 1; ; attempt += 1) {
    signal.throwIfAborted();
    try {
      return await send(chunk, signal);
    } catch (error) {
      if (signal.aborted || attempt === ATTEMPTS || !asApiError(error).temporary) throw error;
      await wait(FIRST_WAIT_MS * 2 ** (attempt - 1), signal);
    }
  }
}

/** Wait, or return early when aborted. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), done()), { once: true });
  });
}

export function toRow(text: string, result: BatchResult): Row {
  if ("error" in result) {
    const { code, message } = result.error;
    return { text, sentiment: null, confidence: null, truncated: false, predictionId: null, error: userMessage(asRowError(code, message)) };
  }
  return {
    text,
    sentiment: result.sentiment,
    confidence: result.confidence,
    truncated: result.truncated,
    predictionId: result.prediction_id,
    error: null,
  };
}

const asRowError = (code: string, message: string) => Object.assign(asApiError(new Error(message)), { code });
