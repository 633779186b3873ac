/** The API client: adds the access token and a time-out, and throws ApiError. */

import createClient from "openapi-fetch";

import { accessToken } from "../session/session";
import { asApiError, parseError } from "./errors";
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
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  return fetch(new Request(request, { signal: AbortSignal.any([request.signal, timeout]) }));
}

const api = createClient<paths>({ baseUrl: BASE, fetch: send });
export const reports = createClient<reportsPaths>({ baseUrl: BASE, fetch: send });

interface ApiResponse<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** Return the data of a response; throws ApiError for an error. */
export async function unwrap<T>(request: Promise<ApiResponse<T>>): Promise<T> {
  let result: ApiResponse<T>;
  try {
    result = await request;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw asApiError(error);
  }
  const { data, error, response } = result;
  if (!response.ok || data === undefined) {
    throw parseError(response.status, error, response.headers.get("x-correlation-id"));
  }
  return data;
}

export const predict = (text: string): Promise<Prediction> =>
  unwrap(api.POST("/predict", { body: { text, return_probabilities: true } }));

export const predictBatch = async (texts: string[], signal: AbortSignal): Promise<BatchResult[]> =>
  (await unwrap(api.POST("/predict/batch", { body: { texts, return_probabilities: false }, signal }))).results;

export const explain = (text: string): Promise<Explanation> => unwrap(api.POST("/explain", { body: { text } }));

export const giveFeedback = (predictionId: string, label: string): Promise<unknown> =>
  unwrap(
    api.POST("/predictions/{prediction_id}/feedback", {
      params: { path: { prediction_id: predictionId } },
      body: { label },
      keepalive: true, // also sent while the page closes
    }),
  );

export const readCard = (): Promise<Card> => unwrap(api.GET("/model"));
