/** Batch results: filters, pages of rows (ten thousand rows at once would stall a browser), and a CSV of all. */

import { Button, NativeSelect, Pagination, SegmentedControl, Table, TextInput } from "@mantine/core";
import { useState } from "react";

import { DataTable } from "../DataTable";
import { percent, SIGNS, toneOf } from "../format";
import { toCsv, filterRows, outcomeOf, type Row } from "./rows";
import { markSaved } from "./job";

const PAGE_ROWS = 50;
const CONFIDENCES = [
  { value: "", label: "any confidence" },
  ...[60, 70, 80, 90].map((share) => ({ value: String(share / 100), label: `under ${share}% confidence` })),
];

export function Results({ rows, rowNumbers }: { rows: Row[]; rowNumbers: number[] }) {
  const [outcome, setOutcome] = useState("all");
  const [word, setWord] = useState("");
  const [under, setUnder] = useState("");
  const [selectedPage, setPage] = useState(1);

  const found = filterRows(rows, { outcome, word, under: under === "" ? null : Number(under) });
  const pages = Math.max(1, Math.ceil(found.length / PAGE_ROWS));
  const page = Math.min(selectedPage, pages);
  const visible = found.slice((page - 1) * PAGE_ROWS, page * PAGE_ROWS);
  return (
    <>
      <div className="row wrap">
        <SegmentedControl
          aria-label="Outcome"
          value={outcome}
          onChange={setOutcome}
          data={["all", ...new Set(rows.map(outcomeOf))]}
        />
        <NativeSelect aria-label="Confidence" value={under} onChange={(event) => setUnder(event.currentTarget.value)} data={CONFIDENCES} />
        <TextInput aria-label="Search texts" placeholder="Search texts" value={word} onChange={(event) => setWord(event.currentTarget.value)} />
        <Button variant="default" onClick={() => save(rows, rowNumbers)}>
          Download CSV
        </Button>
      </div>
      <DataTable name="Results" columns={["Text", "Sentiment", "Confidence"]}>
        {visible.map((row, index) => (
          <Table.Tr key={row.predictionId ?? index}>
            <Table.Td className="text">{row.text}</Table.Td>
            <Table.Td>
              {row.error ?? (
                <span className={toneOf(row.sentiment ?? "")}>
                  <span aria-hidden="true">{SIGNS[toneOf(row.sentiment ?? "")]}</span> {row.sentiment}
                  {row.truncated && " (truncated)"}
                </span>
              )}
            </Table.Td>
            <Table.Td className="number">{percent(row.confidence)}</Table.Td>
          </Table.Tr>
        ))}
      </DataTable>
      {found.length === 0 && <p className="empty">No matching results.</p>}
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

function save(rows: Row[], rowNumbers: number[]): void {
  // The byte order mark makes Excel read UTF-8.
  const url = URL.createObjectURL(new Blob(["\ufeff", toCsv(rows, rowNumbers)], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = "sentiment.csv";
  link.click();
  URL.revokeObjectURL(url);
  markSaved();
}
