/** Turn what people paste or drop into texts, and results back into a file. */

import Papa from "papaparse";

const USUAL_NAMES = ["text", "review", "comment", "body", "content", "message", "sentence"];

export interface Parsed {
  texts: string[];
  column: string | null; // null: lines, or a file without a header
}

export interface Row {
  text: string;
  sentiment: string | null;
  confidence: number | null;
  truncated: boolean;
  predictionId: string | null;
  error: string | null;
}

/** One text a line; empty lines do not count. */
export function linesOf(pasted: string): string[] {
  return pasted
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter(Boolean);
}

/** Take the text column of a CSV: the one with a usual name, else the one with the longest texts. */
export function textsOf(csv: string): Parsed {
  const { data } = Papa.parse<string[]>(csv.replace(/^\uFEFF/, ""), { skipEmptyLines: "greedy" });
  const [first, ...others] = data;
  if (!first) return { texts: [], column: null };
  const named = first.findIndex((cell) => USUAL_NAMES.includes(cell.trim().toLowerCase()));
  const headed = named !== -1;
  const rows = headed ? others : data;
  const place = headed ? named : longest(rows);
  const texts = rows.map((row) => (row[place] ?? "").trim()).filter(Boolean);
  return { texts, column: headed ? (first[named] ?? null) : null };
}

/** Write results as CSV that a spreadsheet opens as text, never as a formula. */
export function csvOf(rows: readonly Row[]): string {
  const records = rows.map((row) => ({
    text: row.text,
    sentiment: row.sentiment ?? "",
    confidence: row.confidence ?? "",
    truncated: row.sentiment === null ? "" : row.truncated,
    prediction_id: row.predictionId ?? "",
    error: row.error ?? "",
  }));
  return Papa.unparse(records, { escapeFormulae: true, newline: "\r\n" });
}

function longest(rows: string[][]): number {
  const lengths: number[] = [];
  for (const row of rows) row.forEach((cell, place) => (lengths[place] = (lengths[place] ?? 0) + cell.length));
  return lengths.indexOf(Math.max(...lengths));
}
