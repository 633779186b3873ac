/** Answered texts: filters, a page of them on the screen (ten thousand rows would stall a browser), and all as a file. */

import { Button, NativeSelect, Pagination, SegmentedControl, Table, TextInput } from "@mantine/core";
import { useState } from "react";

import { DataTable } from "../DataTable";
import { percent, SIGNS, toneOf } from "../figures";
import { csvOf, filtered, outcomeOf, type Row } from "./rows";
import { saved } from "./work";

const PAGE_ROWS = 50;
const CONFIDENCES = [
  { value: "", label: "any confidence" },
  ...[60, 70, 80, 90].map((share) => ({ value: String(share / 100), label: `under ${share}% confidence` })),
];

export function Results({ rows, places }: { rows: Row[]; places: number[] }) {
  const [outcome, setOutcome] = useState("all");
  const [word, setWord] = useState("");
  const [under, setUnder] = useState("");
  const [wanted, setPage] = useState(1);

  const found = filtered(rows, { outcome, word, under: under === "" ? null : Number(under) });
  const pages = Math.max(1, Math.ceil(found.length / PAGE_ROWS));
  const page = Math.min(wanted, pages);
  const visible = found.slice((page - 1) * PAGE_ROWS, page * PAGE_ROWS);
  return (
    <>
      <div className="row wrap">
        <SegmentedControl
          aria-label="Which to show"
          value={outcome}
          onChange={setOutcome}
          data={["all", ...new Set(rows.map(outcomeOf))]}
        />
        <NativeSelect aria-label="Confidence" value={under} onChange={(event) => setUnder(event.currentTarget.value)} data={CONFIDENCES} />
        <TextInput aria-label="Only texts with" placeholder="Only texts with …" value={word} onChange={(event) => setWord(event.currentTarget.value)} />
        <Button variant="default" onClick={() => save(rows, places)}>
          Download CSV
        </Button>
      </div>
      <DataTable name="Answered texts" columns={["Text", "Sentiment", "Confidence"]}>
        {visible.map((row, place) => (
          <Table.Tr key={row.predictionId ?? place}>
            <Table.Td className="text">{row.text}</Table.Td>
            <Table.Td>
              {row.error ?? (
                <span className={toneOf(row.sentiment ?? "")}>
                  <span aria-hidden="true">{SIGNS[toneOf(row.sentiment ?? "")]}</span> {row.sentiment}
                  {row.truncated && " (read in part)"}
                </span>
              )}
            </Table.Td>
            <Table.Td className="number">{percent(row.confidence)}</Table.Td>
          </Table.Tr>
        ))}
      </DataTable>
      {found.length === 0 && <p className="empty">No answered text is like that.</p>}
      {pages > 1 && (
        <Pagination
          total={pages}
          value={page}
          onChange={setPage}
          getControlProps={(control) => ({ "aria-label": `${control} page` })}
          getItemProps={(number) => ({ "aria-label": `Page ${number}` })}
        />
      )}
    </>
  );
}

function save(rows: Row[], places: number[]): void {
  // The mark by which Excel knows UTF-8.
  const url = URL.createObjectURL(new Blob(["\ufeff", csvOf(rows, places)], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = "sentiment.csv";
  link.click();
  URL.revokeObjectURL(url);
  saved();
}
