/** Deployments: which model served, from when to when, and who deployed it. */

import { Table } from "@mantine/core";

import type { Deployment } from "../api/reports";
import { DataTable } from "../DataTable";
import { moment } from "../format";
import { Empty } from "../states";

export function Deployments({ deployments }: { deployments: Deployment[] }) {
  if (deployments.length === 0) return <Empty>No deployments.</Empty>;
  return (
    <DataTable name="Deployments, newest first" columns={["Model", "Type", "From", "Until", "By", "Reason"]}>
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
    </DataTable>
  );
}
