/** A table under named columns, that scrolls by itself where the screen is too narrow, by keyboard too. */

import { Table } from "@mantine/core";
import type { ReactNode } from "react";

interface Shape {
  name: string; // for screen readers
  columns: string[];
  fit?: boolean; // no wider than what it holds
  children: ReactNode; // rows
}

export function DataTable({ name, columns, fit, children }: Shape) {
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
