/** The confusion matrix: a row per True label, a column per predicted label, darker for a larger share of the row. */

import { Table } from "@mantine/core";

import { count } from "../format";

export function ConfusionMatrix({ labels, counts }: { labels: string[]; counts: number[][] }) {
  return (
    <Table className="fit confusion">
      <caption>Confusion matrix</caption>
      <Table.Thead>
        <Table.Tr>
          <Table.Th scope="col">True label</Table.Th>
          {labels.map((label) => (
            <Table.Th key={label} scope="col">
              Predicted {label}
            </Table.Th>
          ))}
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {counts.map((row, index) => {
          const total = row.reduce((sum, cell) => sum + cell, 0) || 1;
          return (
            <Table.Tr key={labels[index]}>
              <Table.Th scope="row">{labels[index]}</Table.Th>
              {row.map((number, column) => (
                <Table.Td key={labels[column]} className={`number heat-${Math.round((4 * number) / total)}`}>
                  {count(number)}
                </Table.Td>
              ))}
            </Table.Tr>
          );
        })}
      </Table.Tbody>
    </Table>
  );
}
