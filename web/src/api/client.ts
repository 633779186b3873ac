/** How the page asks: one fetch for everything, with the token if there is one, and errors as ApiError. */

import createClient from "openapi-fetch";

import { accessToken } from "../session/session";
import { asApiError, errorOf } from "./errors";
import type { components, paths } from "./schema/api";
import type { paths as reportsPaths } from "./schema/reports";

const BASE = "/api";
const TIMEOUT_MS = 30_000; // API Gateway's own limit

export type Prediction = components["schemas"]["PredictionResponse"];
export type Explanation = components["schemas"]["ExplainResponse"];
export type Card = components["schemas"]["ModelResponse"];
export type Metrics = components["schemas"]["Metrics"];
export type Candidate = components["schemas"]["Candidate"];
export type ReliabilityBin = components["schemas"]["ReliabilityBin"];
export type BatchResult = components["schemas"]["BatchResponse"]["results"][number];

async function send(request: Request): Promise<Response> {
  const token = await accessToken();
  if (token) request.headers.set("authorization", `Bearer ${token}`);
  const limit = AbortSignal.timeout(TIMEOUT_MS);
  return fetch(new Request(request, { signal: AbortSignal.any([request.signal, limit]) }));
}

const api = createClient<paths>({ baseUrl: BASE, fetch: send });
export const reports = createClient<reportsPaths>({ baseUrl: BASE, fetch: send });

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** Return what was answered; throws ApiError for anything else. */
export async function answered<T>(asked: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await asked;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw asApiError(error);
  }
  const { data, error, response } = answer;
  if (!response.ok || data === undefined) {
    throw errorOf(response.status, error, response.headers.get("x-correlation-id"));
  }
  return data;
}

export const predict = (text: string): Promise<Prediction> =>
  answered(api.POST("/predict", { body: { text, return_probabilities: true } }));

export const predictBatch = async (texts: string[], signal: AbortSignal): Promise<BatchResult[]> =>
  (await answered(api.POST("/predict/batch", { body: { texts, return_probabilities: false }, signal }))).results;

export const explain = (text: string): Promise<Explanation> => answered(api.POST("/explain", { body: { text } }));

export const giveFeedback = (predictionId: string, label: string): Promise<unknown> =>
  answered(
    api.POST("/predictions/{prediction_id}/feedback", {
      params: { path: { prediction_id: predictionId } },
      body: { label },
      keepalive: true, // a label that is given while the page closes arrives all the same
    }),
  );

export const readCard = (): Promise<Card> => answered(api.GET("/model"));
