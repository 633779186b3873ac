/** Turn what people paste or drop into texts, and results back into a file. */

import Papa from "papaparse";

const USUAL_NAMES = ["text", "review", "comment", "body", "content", "message", "sentence", "tweet", "document"];

/** Which column of a file holds the texts, and whether its first line names the columns. */
export interface Columns {
  column: number; // from 0
  headed: boolean;
}

export interface Parsed extends Columns {
  texts: string[];
  columns: string[]; // their names, or the first text of each
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

/** Read a file's bytes as what spreadsheets write: UTF-8, UTF-16, or else Windows' Western alphabet. */
export function decoded(bytes: Uint8Array): string {
  const utf16 = (bytes[0] === 0xff && bytes[1] === 0xfe && "utf-16le") || (bytes[0] === 0xfe && bytes[1] === 0xff && "utf-16be");
  if (utf16) return new TextDecoder(utf16).decode(bytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
}

/** Take the texts of a CSV from the column that is wanted, or that has a usual name, or else the longest texts.
 *
 * Throws when a quote is never closed, which would make one text of all that follows.
 */
export function textsOf(csv: string, wanted?: Columns): Parsed {
  const { data, errors } = Papa.parse<string[]>(csv, { skipEmptyLines: "greedy" });
  const broken = errors.find((error) => error.type === "Quotes");
  if (broken) throw new Error(`row ${(broken.row ?? 0) + 1}: ${broken.message}`);
  const first = data[0] ?? [];
  const named = first.findIndex((cell) => USUAL_NAMES.includes(cell.trim().toLowerCase()));
  const headed = wanted?.headed ?? named !== -1;
  const rows = headed ? data.slice(1) : data;
  const column = wanted?.column ?? (named !== -1 ? named : longest(rows));
  const texts = rows.map((row) => (row[column] ?? "").trim()).filter(Boolean);
  return { texts, columns: first.map((cell) => cell.trim()), column, headed };
}

export const outcomeOf = (row: Row): string => row.sentiment ?? "failed";

/** Keep the rows of an outcome ("all" for every one) that hold a word and are less sure than that. */
export function filtered(rows: readonly Row[], { outcome, word, under }: { outcome: string; word: string; under: number | null }): Row[] {
  const wanted = word.trim().toLowerCase();
  return rows.filter(
    (row) =>
      (outcome === "all" || outcomeOf(row) === outcome) &&
      (!wanted || row.text.toLowerCase().includes(wanted)) &&
      (under === null || (row.confidence !== null && row.confidence < under)),
  );
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
  return Math.max(0, lengths.indexOf(Math.max(...lengths)));
}
