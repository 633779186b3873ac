/** Alerts, the open ones first, each with the figures behind it. */

import { Table } from "@mantine/core";

import { type Alert, findRun } from "../api/reports";
import { count, moment } from "../figures";
import { Empty } from "../states";
import { PageLink } from "./PageLink";

export function Alerts({ alerts }: { alerts: Alert[] }) {
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
          {factsOf(alert).map(([name, value]) => (
            <Table.Tr key={name}>
              <Table.Th scope="row">{name}</Table.Th>
              <Table.Td className="text">{value}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {typeof stored === "string" && typeof until === "string" && <PageLink runId={() => findRun(until)} />}
    </>
  );
}

// What people read first; the rest follows as it is. The report has a button, and that it drifted is the alert.
const FIRST = ["features", "phrases", "estimate", "labelled", "reference", "since", "until", "rows", "model_version"];
const LEFT_OUT = new Set(["report_uri", "drifted"]);

/** Return what is behind an alert as names and values to read, without what is empty. */
export function factsOf(alert: Alert): [string, string][] {
  const rank = (name: string) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
  const details = Object.entries(alert.details)
    .filter(([name]) => !LEFT_OUT.has(name))
    .sort(([one], [other]) => rank(one) - rank(other))
    .map(([name, value]): [string, string] => [name.replaceAll("_", " "), written(value)]);
  const told = alert.notified_at ? moment(alert.notified_at) : "nobody yet";
  const all: [string, string][] = [["kind", alert.kind.replaceAll("_", " ")], ...details, ["last seen", moment(alert.seen_at)], ["told", told]];
  return all.filter(([, value]) => value !== "–");
}

const INSTANT = /^\d{4}-\d\d-\d\dT[\d:.]+([+-]\d\d:\d\d|Z)$/;

/** Write a figure of an alert as a line: of a list its items' names, else what it holds. */
export function written(value: unknown): string {
  if (value === null || value === undefined || value === "") return "–";
  if (typeof value === "number") return Number.isInteger(value) ? count(value) : value.toPrecision(3);
  if (typeof value === "string" && INSTANT.test(value)) return moment(value);
  if (Array.isArray(value)) return value.map(nameOf).join(", ") || "–";
  if (typeof value === "object") {
    return Object.entries(value).map(([name, part]) => `${name} ${written(part)}`).join(", ") || "–";
  }
  return String(value);
}

function nameOf(item: unknown): string {
  if (typeof item !== "object" || item === null) return written(item);
  const { phrase, feature, effect, threshold, drifted } = item as Record<string, unknown>;
  if (phrase !== undefined) return `“${String(phrase)}”`;
  if (feature !== undefined) return `${String(feature)} ${written(effect)} (threshold ${written(threshold)}${drifted === false ? ", not moved" : ""})`;
  return `(${written(item)})`;
}
