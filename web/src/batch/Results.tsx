/** Answered texts, the newest page of them on the screen: ten thousand rows would stall a browser. */

import { Pagination, Table } from "@mantine/core";
import { useState } from "react";

import { percent, SIGNS, toneOf } from "../figures";
import type { Row } from "./rows";

const PAGE_ROWS = 50;

export function Results({ rows }: { rows: Row[] }) {
  const pages = Math.max(1, Math.ceil(rows.length / PAGE_ROWS));
  const [wanted, setPage] = useState(1);
  const page = Math.min(wanted, pages);
  const visible = rows.slice((page - 1) * PAGE_ROWS, page * PAGE_ROWS);
  return (
    <>
      <div className="scroll" tabIndex={0} role="region" aria-label="Answered texts">
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th scope="col">Text</Table.Th>
              <Table.Th scope="col">Sentiment</Table.Th>
              <Table.Th scope="col">Confidence</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
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
          </Table.Tbody>
        </Table>
      </div>
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
