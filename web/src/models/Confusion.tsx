/** The confusion matrix: a row for each label, a column for each decision, darker for more of the row. */

import { Table } from "@mantine/core";

import { count } from "../figures";

export function Confusion({ labels, counts }: { labels: string[]; counts: number[][] }) {
  return (
    <Table className="fit confusion">
      <caption>Confusion matrix</caption>
      <Table.Thead>
        <Table.Tr>
          <Table.Th scope="col">true label</Table.Th>
          {labels.map((label) => (
            <Table.Th key={label} scope="col">
              predicted {label}
            </Table.Th>
          ))}
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {counts.map((row, place) => {
          const all = row.reduce((sum, one) => sum + one, 0) || 1;
          return (
            <Table.Tr key={labels[place]}>
              <Table.Th scope="row">{labels[place]}</Table.Th>
              {row.map((number, column) => (
                <Table.Td key={labels[column]} className={`number heat-${Math.round((4 * number) / all)}`}>
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
