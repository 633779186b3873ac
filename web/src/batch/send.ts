/** Send many texts in requests that the API takes, one after the other, and go on after a passing failure. */

import { type BatchResult, predictBatch } from "../api/client";
import { asApiError, sentenceFor } from "../api/errors";
import type { Row } from "./rows";

const CHUNK_TEXTS = 32; // half of what the API takes: progress is seen, and a cold start fits into the time
const CHUNK_BYTES = 700_000; // of the 1 MiB that a body may have, JSON's escapes included
const ATTEMPTS = 4;
const FIRST_WAIT_MS = 500;

export type Send = (texts: string[], signal: AbortSignal) => Promise<BatchResult[]>;
type Wait = (ms: number, signal: AbortSignal) => Promise<void>;

/** Cut texts into requests by number and size, keeping their order. */
export function chunksOf(texts: readonly string[]): string[][] {
  const chunks: string[][] = [];
  const encoder = new TextEncoder();
  let bytes = Infinity;
  for (const text of texts) {
    const size = encoder.encode(JSON.stringify(text)).length;
    const last = chunks.at(-1);
    if (!last || last.length === CHUNK_TEXTS || bytes + size > CHUNK_BYTES) {
      chunks.push([text]);
      bytes = size;
    } else {
      last.push(text);
      bytes += size;
    }
  }
  return chunks;
}

/** Yield the rows of each request as it is answered; throws when aborted or when a request fails for good. */
export async function* sendAll(
  texts: readonly string[],
  signal: AbortSignal,
  send: Send = predictBatch,
  wait: Wait = pause,
): AsyncGenerator<Row[]> {
  for (const chunk of chunksOf(texts)) {
    yield (await sent(chunk, signal, send, wait)).map((result, place) => rowOf(chunk[place] ?? "", result));
  }
}

async function sent(chunk: string[], signal: AbortSignal, send: Send, wait: Wait): Promise<BatchResult[]> {
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

/** Wait so long, or until it is called off. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), done()), { once: true });
  });
}

export function rowOf(text: string, result: BatchResult): Row {
  if ("error" in result) {
    const { code, message } = result.error;
    return { text, sentiment: null, confidence: null, truncated: false, predictionId: null, error: sentenceFor(asRowError(code, message)) };
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
