/** Parses pasted lines and files into texts, and writes results as CSV. */

import Papa from "papaparse";

const TEXT_COLUMN_NAMES = ["text", "review", "comment", "body", "content", "message", "sentence", "tweet", "document"];

/** Which column of a file holds the texts, and whether its first row is a header. */
export interface Columns {
  column: number; // from 0
  hasHeader: boolean;
}

/** Texts with their line or row numbers in the input. */
export interface Texts {
  texts: string[];
  rowNumbers: number[]; // from 1, including a header
}

export interface Parsed extends Columns, Texts {
  columns: string[]; // their names, or their first cells
}

export interface Row {
  text: string;
  sentiment: string | null;
  confidence: number | null;
  truncated: boolean;
  predictionId: string | null;
  error: string | null;
}

/** Parse one text per line; empty lines are skipped. */
export const parseLines = (pasted: string): Texts => dropEmpty(pasted.split(/\r?\n/));

/** Decode a file as spreadsheets write it: UTF-8, UTF-16, or else Windows-1252. */
export function decodeBytes(bytes: Uint8Array): string {
  const utf16 = (bytes[0] === 0xff && bytes[1] === 0xfe && "utf-16le") || (bytes[0] === 0xfe && bytes[1] === 0xff && "utf-16be");
  if (utf16) return new TextDecoder(utf16).decode(bytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
}

/** Parse a file with one text per line; the first line may be a header. */
export function parseLinesFile(content: string, columns?: Columns): Parsed {
  const { texts, rowNumbers } = parseLines(content);
  const hasHeader = columns?.hasHeader ?? false;
  return { texts: texts.slice(Number(hasHeader)), rowNumbers: rowNumbers.slice(Number(hasHeader)), columns: texts.slice(0, 1), column: 0, hasHeader };
}

/** Parse the texts of a CSV from the given column, or one with a common name, or else the one with the longest texts.
 *
 * Throws if a quote is never closed, which would merge all following rows, or if a row has more cells than the first: an
 * unquoted text that contains the delimiter would be cut.
 */
export function parseCsv(csv: string, columns?: Columns): Parsed {
  // Empty lines count for row numbers, but must not affect the detected delimiter.
  const { delimiter } = Papa.parse(csv, { preview: 20, skipEmptyLines: "greedy" }).meta;
  const { data, errors } = Papa.parse<string[]>(csv, { delimiter });
  const quoteError = errors.find((error) => error.type === "Quotes");
  if (quoteError) throw new Error(`row ${(quoteError.row ?? 0) + 1}: ${quoteError.message}`);
  const top = Math.max(0, data.findIndex((row) => row.some((cell) => cell.trim())));
  const first = (data[top] ?? []).map((cell) => cell.trim());
  const wider = data.findIndex((row) => row.slice(first.length).some((cell) => cell.trim()));
  if (wider !== -1) {
    const problem = `row ${wider + 1} has ${data[wider]?.length} cells and the first row ${first.length}`;
    throw new Error(`${problem}: put double quotes around texts that contain "${delimiter}", or use a .txt file with one text per line`);
  }
  const named = first.findIndex((cell) => TEXT_COLUMN_NAMES.includes(cell.toLowerCase()));
  const hasHeader = columns?.hasHeader ?? named !== -1;
  const column = columns?.column ?? (named !== -1 ? named : longestColumn(data.slice(top + Number(hasHeader))));
  const cells = data.map((row, index) => (hasHeader && index <= top ? "" : (row[column] ?? "")));
  return { ...dropEmpty(cells), columns: first, column, hasHeader };
}

export const outcomeOf = (row: Row): string => row.sentiment ?? "failed";

/** Return the rows with an outcome ("all" for any) that contain a word and have less confidence than `under`. */
export function filterRows(rows: readonly Row[], { outcome, word, under }: { outcome: string; word: string; under: number | null }): Row[] {
  const wanted = word.trim().toLowerCase();
  return rows.filter(
    (row) =>
      (outcome === "all" || outcomeOf(row) === outcome) &&
      (!wanted || row.text.toLowerCase().includes(wanted)) &&
      (under === null || (row.confidence !== null && row.confidence < under)),
  );
}

/** Write results as CSV; spreadsheets open cells as text, never as formulas. */
export function toCsv(rows: readonly Row[], rowNumbers: readonly number[]): string {
  const records = rows.map((row, index) => ({
    row: rowNumbers[index],
    text: row.text,
    sentiment: row.sentiment ?? "",
    confidence: row.confidence ?? "",
    truncated: row.sentiment === null ? "" : row.truncated,
    prediction_id: row.predictionId ?? "",
    error: row.error ?? "",
  }));
  return Papa.unparse(records, { escapeFormulae: true, newline: "\r\n" });
}

function dropEmpty(cells: string[]): Texts {
  const found = cells.map((cell, index) => ({ text: cell.trim(), rowNumber: index + 1 })).filter(({ text }) => text);
  return { texts: found.map(({ text }) => text), rowNumbers: found.map(({ rowNumber }) => rowNumber) };
}

function longestColumn(rows: string[][]): number {
  const lengths: number[] = [];
  for (const row of rows) row.forEach((cell, index) => (lengths[index] = (lengths[index] ?? 0) + cell.length));
  return Math.max(0, lengths.indexOf(Math.max(...lengths)));
}
