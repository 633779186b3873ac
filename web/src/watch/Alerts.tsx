/** Alerts, the open ones first, each with the figures behind it. */

import { Table } from "@mantine/core";

import type { Alert, DriftRun } from "../api/reports";
import { moment } from "../figures";
import { Empty } from "../states";
import { PageLink } from "./PageLink";

export function Alerts({ alerts, runs }: { alerts: Alert[]; runs: DriftRun[] }) {
  if (alerts.length === 0) return <Empty>No alerts, now or before.</Empty>;
  const openFirst = [...alerts].sort((one, other) => Number(one.resolved_at !== null) - Number(other.resolved_at !== null));
  return (
    <ul className="alerts">
      {openFirst.map((alert) => (
        <li key={alert.id} data-testid={alert.resolved_at ? "alert-resolved" : "alert-open"}>
          <details>
            <summary>
              <strong className={`severity ${alert.severity}`}>{alert.severity}</strong> {alert.message}
              <span className="quiet">
                {" "}
                · {alert.resolved_at ? `from ${moment(alert.raised_at)} to ${moment(alert.resolved_at)}` : `open since ${moment(alert.raised_at)}`}
              </span>
            </summary>
            <Details alert={alert} run={runs.find((run) => run.until === alert.details.until)} />
          </details>
        </li>
      ))}
    </ul>
  );
}

function Details({ alert, run }: { alert: Alert; run: DriftRun | undefined }) {
  return (
    <>
      <Table className="fit">
        <Table.Tbody>
          {[["kind", alert.kind], ["last seen", moment(alert.seen_at)], ["told", alert.notified_at ? moment(alert.notified_at) : "nobody yet"], ...Object.entries(alert.details)].map(
            ([name, value]) => (
              <Table.Tr key={String(name)}>
                <Table.Th scope="row">{String(name).replaceAll("_", " ")}</Table.Th>
                <Table.Td className="text">{written(value)}</Table.Td>
              </Table.Tr>
            ),
          )}
        </Table.Tbody>
      </Table>
      {run && <PageLink run={run} />}
    </>
  );
}

/** Write a figure of an alert as a line: of a list its items' names, else what it holds. */
export function written(value: unknown): string {
  if (value === null || value === undefined || value === "") return "–";
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : value.toPrecision(3);
  if (Array.isArray(value)) return value.map(nameOf).join(", ") || "–";
  if (typeof value === "object") {
    return Object.entries(value).map(([name, part]) => `${name} ${written(part)}`).join(", ") || "–";
  }
  return String(value);
}

function nameOf(item: unknown): string {
  if (typeof item !== "object" || item === null) return written(item);
  const { phrase, feature, effect, threshold } = item as Record<string, unknown>;
  if (phrase !== undefined) return `“${String(phrase)}”`;
  if (feature !== undefined) return `${String(feature)} (${written(effect)}, threshold ${written(threshold)})`;
  return `(${written(item)})`;
}
