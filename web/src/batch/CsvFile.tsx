/** The choice of a file and of the column with the texts. */

import { Button, Checkbox, FileButton, NativeSelect } from "@mantine/core";
import { useRef } from "react";

import { count } from "../format";
import { parseFile } from "./parse";
import type { Columns, Parsed } from "./rows";

export type ChosenFile = { file: File; parsed: Parsed } | { problem: string };

const NAME_LENGTH = 40;

/** Read the texts of a file from a column; null without a file. */
export async function readFile(file: File | null, columns?: Columns): Promise<ChosenFile | null> {
  if (!file) return null;
  try {
    const parsed = await parseFile(file, columns);
    if (parsed.columns.some(Boolean)) return { file, parsed };
    return { problem: `${file.name} is empty. Choose a CSV with a column of texts, or a .txt with one text per line.` };
  } catch (error) {
    return { problem: `${file.name} cannot be read: ${error instanceof Error ? error.message : String(error)}.` };
  }
}

type Choose = (file: File | null, columns?: Columns) => void;

export function CsvFile({ chosenFile, choose }: { chosenFile: ChosenFile | null; choose: Choose }) {
  const reset = useRef<() => void>(null);
  const chosen = chosenFile && "parsed" in chosenFile ? chosenFile : null;

  return (
    <>
      <div className="row wrap">
        <FileButton
          resetRef={reset}
          accept=".csv,.tsv,.txt,text/csv"
          onChange={(file) => {
            reset.current?.(); // so that the same file can be chosen again after it was fixed
            choose(file);
          }}
        >
          {(props) => (
            <Button variant="default" {...props}>
              Choose a CSV
            </Button>
          )}
        </FileButton>
        {chosen && (
          <>
            <span role="status">
              {chosen.file.name}: {count(chosen.parsed.texts.length)} texts
            </span>
            <Button variant="default" size="compact-sm" onClick={() => choose(null)}>
              Remove
            </Button>
          </>
        )}
      </div>
      {chosen && <ColumnChoice {...chosen} choose={choose} />}
      {chosenFile && "problem" in chosenFile && <p role="alert">{chosenFile.problem}</p>}
    </>
  );
}

function ColumnChoice({ file, parsed, choose }: { file: File; parsed: Parsed; choose: Choose }) {
  const { column, hasHeader, columns } = parsed;
  return (
    <div className="row wrap">
      <NativeSelect
        label="Text column"
        value={String(column)}
        onChange={(event) => choose(file, { column: Number(event.currentTarget.value), hasHeader })}
        data={columns.map((name, index) => ({ value: String(index), label: columnLabel(name, index, hasHeader) }))}
      />
      <Checkbox
        label="First row is a header"
        checked={hasHeader}
        onChange={(event) => choose(file, { column, hasHeader: event.currentTarget.checked })}
      />
    </div>
  );
}

function columnLabel(cell: string, index: number, hasHeader: boolean): string {
  const shown = cell.length > NAME_LENGTH ? `${cell.slice(0, NAME_LENGTH)}…` : cell;
  return hasHeader && shown ? shown : `${index + 1}: ${shown}`;
}
