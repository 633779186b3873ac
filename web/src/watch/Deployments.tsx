/** Which model had the traffic, from when to when, and who gave it. */

import { Table } from "@mantine/core";

import type { Deployment } from "../api/reports";
import { moment } from "../figures";
import { Empty } from "../states";

export function Deployments({ deployments }: { deployments: Deployment[] }) {
  if (deployments.length === 0) return <Empty>Nothing was ever deployed.</Empty>;
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label="Deployments, newest first">
      <Table>
        <Table.Thead>
          <Table.Tr>
            {["Model", "As", "From", "Until", "By", "Why"].map((name) => (
              <Table.Th key={name} scope="col">
                {name}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {deployments.map((row) => (
            <Table.Tr key={row.id}>
              <Table.Td>
                <code>{row.model_version}</code>
              </Table.Td>
              <Table.Td>{row.deployment_type}</Table.Td>
              <Table.Td>{moment(row.deployed_at)}</Table.Td>
              <Table.Td>{row.retired_at ? moment(row.retired_at) : "now"}</Table.Td>
              <Table.Td>{row.deployed_by}</Table.Td>
              <Table.Td className="text">{row.reason ?? ""}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}
