/** Alerts, open ones first, each with its details. */

import { Table } from "@mantine/core";

import { type Alert, findRun } from "../api/reports";
import { count, moment } from "../format";
import { Empty } from "../states";
import { ReportLink } from "./ReportLink";

export function Alerts({ alerts }: { alerts: Alert[] }) {
  if (alerts.length === 0) return <Empty>No alerts.</Empty>;
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
            <Details alert={alert} />
          </details>
        </li>
      ))}
    </ul>
  );
}

function Details({ alert }: { alert: Alert }) {
  const { report_uri: stored, until } = alert.details;
  return (
    <>
      <Table className="fit">
        <Table.Tbody>
          {detailsOf(alert).map(([name, value]) => (
            <Table.Tr key={name}>
              <Table.Th scope="row">{name}</Table.Th>
              <Table.Td className="text">{value}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {typeof stored === "string" && typeof until === "string" && <ReportLink runId={() => findRun(until)} />}
    </>
  );
}

// Shown first, in this order. The report has a button, and `drifted` is the alert itself.
const FIRST = ["features", "phrases", "estimate", "labeled", "reference", "since", "until", "rows", "model_version"];
const HIDDEN = new Set(["report_uri", "drifted"]);

/** Return an alert's details as readable names and values, without empty ones. */
export function detailsOf(alert: Alert): [string, string][] {
  const rank = (name: string) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
  const details = Object.entries(alert.details)
    .filter(([name]) => !HIDDEN.has(name))
    .sort(([one], [other]) => rank(one) - rank(other))
    .map(([name, value]): [string, string] => [name.replaceAll("_", " "), formatValue(value)]);
  const notified = alert.notified_at ? moment(alert.notified_at) : "not yet";
  const all: [string, string][] = [["kind", alert.kind.replaceAll("_", " ")], ...details, ["last seen", moment(alert.seen_at)], ["notified", notified]];
  return all.filter(([, value]) => value !== "–");
}

const INSTANT = /^\d{4}-\d\d-\d\dT[\d:.]+([+-]\d\d:\d\d|Z)$/;

/** Format a value of an alert's details as one line. */
export function formatValue(value: unknown): string {
  if (value === null || value === undefined || value === "") return "–";
  if (typeof value === "number") return Number.isInteger(value) ? count(value) : value.toPrecision(3);
  if (typeof value === "string" && INSTANT.test(value)) return moment(value);
  if (Array.isArray(value)) return value.map(formatItem).join(", ") || "–";
  if (typeof value === "object") {
    return Object.entries(value).map(([name, part]) => `${name} ${formatValue(part)}`).join(", ") || "–";
  }
  return String(value);
}

function formatItem(item: unknown): string {
  if (typeof item !== "object" || item === null) return formatValue(item);
  const { phrase, feature, effect, threshold, drifted } = item as Record<string, unknown>;
  if (phrase !== undefined) return `“${String(phrase)}”`;
  if (feature !== undefined) return `${String(feature)} ${formatValue(effect)} (threshold ${formatValue(threshold)}${drifted === false ? ", not drifted" : ""})`;
  return `(${formatValue(item)})`;
}
