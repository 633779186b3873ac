/** Turn what people paste or drop into texts, and results back into a file. */

import Papa from "papaparse";

const USUAL_NAMES = ["text", "review", "comment", "body", "content", "message", "sentence", "tweet", "document"];

/** Which column of a file holds the texts, and whether its first line names the columns. */
export interface Columns {
  column: number; // from 0
  headed: boolean;
}

/** Texts, each with the number of its line or row in what was given, by which results find back to it. */
export interface Texts {
  texts: string[];
  places: number[]; // from 1, a header included
}

export interface Parsed extends Columns, Texts {
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
export const linesOf = (pasted: string): Texts => withoutEmpty(pasted.split(/\r?\n/));

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

/** Take the texts of a file that has one a line, of which the first may be a heading. */
export function textsOfLines(content: string, wanted?: Columns): Parsed {
  const { texts, places } = linesOf(content);
  const headed = wanted?.headed ?? false;
  return { texts: texts.slice(Number(headed)), places: places.slice(Number(headed)), columns: texts.slice(0, 1), column: 0, headed };
}

/** Take the texts of a CSV from the column that is wanted, or that has a usual name, or else the longest texts.
 *
 * Throws when a quote is never closed, which would make one text of all that follows, and when a row has more cells than
 * the first, as a text has that holds the delimiter and no quotes: its end would be lost.
 */
export function textsOf(csv: string, wanted?: Columns): Parsed {
  // Empty lines are no rows, but they count; guessing the delimiter they would only disturb.
  const { delimiter } = Papa.parse(csv, { preview: 20, skipEmptyLines: "greedy" }).meta;
  const { data, errors } = Papa.parse<string[]>(csv, { delimiter });
  const broken = errors.find((error) => error.type === "Quotes");
  if (broken) throw new Error(`row ${(broken.row ?? 0) + 1}: ${broken.message}`);
  const top = Math.max(0, data.findIndex((row) => row.some((cell) => cell.trim())));
  const first = (data[top] ?? []).map((cell) => cell.trim());
  const wider = data.findIndex((row) => row.slice(first.length).some((cell) => cell.trim()));
  if (wider !== -1) {
    const why = `row ${wider + 1} has ${data[wider]?.length} cells and the first row ${first.length}`;
    throw new Error(`${why}: a text that holds "${delimiter}" needs double quotes around it, or a .txt file with one text a line`);
  }
  const named = first.findIndex((cell) => USUAL_NAMES.includes(cell.toLowerCase()));
  const headed = wanted?.headed ?? named !== -1;
  const column = wanted?.column ?? (named !== -1 ? named : longest(data.slice(top + Number(headed))));
  const cells = data.map((row, place) => (headed && place <= top ? "" : (row[column] ?? "")));
  return { ...withoutEmpty(cells), columns: first, column, headed };
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
export function csvOf(rows: readonly Row[], places: readonly number[]): string {
  const records = rows.map((row, number) => ({
    row: places[number],
    text: row.text,
    sentiment: row.sentiment ?? "",
    confidence: row.confidence ?? "",
    truncated: row.sentiment === null ? "" : row.truncated,
    prediction_id: row.predictionId ?? "",
    error: row.error ?? "",
  }));
  return Papa.unparse(records, { escapeFormulae: true, newline: "\r\n" });
}

function withoutEmpty(cells: string[]): Texts {
  const found = cells.map((cell, place) => ({ text: cell.trim(), place: place + 1 })).filter(({ text }) => text);
  return { texts: found.map(({ text }) => text), places: found.map(({ place }) => place) };
}

function longest(rows: string[][]): number {
  const lengths: number[] = [];
  for (const row of rows) row.forEach((cell, place) => (lengths[place] = (lengths[place] ?? 0) + cell.length));
  return Math.max(0, lengths.indexOf(Math.max(...lengths)));
}
