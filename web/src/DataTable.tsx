/** A table with column headers that scrolls horizontally on narrow screens, also by keyboard. */

import { Table } from "@mantine/core";
import type { ReactNode } from "react";

interface DataTableProps {
  name: string; // for screen readers
  columns: string[];
  fit?: boolean; // only as wide as its content
  children: ReactNode; // rows
}

export function DataTable({ name, columns, fit, children }: DataTableProps) {
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label={name}>
      <Table className={fit ? "fit" : undefined}>
        <Table.Thead>
          <Table.Tr>
            {columns.map((column) => (
              <Table.Th key={column} scope="col">
                {column}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>{children}</Table.Tbody>
      </Table>
    </div>
  );
}
