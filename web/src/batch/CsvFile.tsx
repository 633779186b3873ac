/** The file that texts come from: which one, and which of its columns. */

import { Button, Checkbox, FileButton, NativeSelect } from "@mantine/core";
import { useRef } from "react";

import { count } from "../figures";
import { parseFile } from "./parse";
import type { Columns, Parsed } from "./rows";

export type Taken = { file: File; parsed: Parsed } | { problem: string };

const NAME_LENGTH = 40;

/** Read a file, its texts from the column that is wanted; null where there is none. */
export async function take(file: File | null, wanted?: Columns): Promise<Taken | null> {
  if (!file) return null;
  try {
    const parsed = await parseFile(file, wanted);
    if (parsed.columns.some(Boolean)) return { file, parsed };
    return { problem: `${file.name} is empty. Give a CSV with a column of texts, or a .txt with one a line.` };
  } catch (error) {
    return { problem: `${file.name} cannot be read: ${error instanceof Error ? error.message : String(error)}.` };
  }
}

type Choose = (file: File | null, wanted?: Columns) => void;

export function CsvFile({ taken, choose }: { taken: Taken | null; choose: Choose }) {
  const reset = useRef<() => void>(null);
  const chosen = taken && "parsed" in taken ? taken : null;

  return (
    <>
      <div className="row wrap">
        <FileButton
          resetRef={reset}
          accept=".csv,.tsv,.txt,text/csv"
          onChange={(file) => {
            reset.current?.(); // else the same file, mended meanwhile, could not be chosen again
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
              Leave out
            </Button>
          </>
        )}
      </div>
      {chosen && <ColumnChoice {...chosen} choose={choose} />}
      {taken && "problem" in taken && <p role="alert">{taken.problem}</p>}
    </>
  );
}

function ColumnChoice({ file, parsed, choose }: { file: File; parsed: Parsed; choose: Choose }) {
  const { column, headed, columns } = parsed;
  return (
    <div className="row wrap">
      <NativeSelect
        label="Column of the texts"
        value={String(column)}
        onChange={(event) => choose(file, { column: Number(event.currentTarget.value), headed })}
        data={columns.map((name, place) => ({ value: String(place), label: nameOf(name, place, headed) }))}
      />
      <Checkbox
        label="The first line names the columns"
        checked={headed}
        onChange={(event) => choose(file, { column, headed: event.currentTarget.checked })}
      />
    </div>
  );
}

function nameOf(cell: string, place: number, headed: boolean): string {
  const shown = cell.length > NAME_LENGTH ? `${cell.slice(0, NAME_LENGTH)}…` : cell;
  return headed && shown ? shown : `${place + 1}: ${shown}`;
}
