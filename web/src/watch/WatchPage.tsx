/** Monitoring: alerts, traffic, latency, labels, accuracy, drift, deployments. */

import { Button, SegmentedControl } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useSearch, useLocation } from "wouter";

import { readAlerts, readDeployments, readDrift, readPerformance, readSummary, type Summary } from "../api/reports";
import { count, milliseconds, percent } from "../format";
import { Empty, Failed, Loading, OfflineNote } from "../states";
import { Alerts } from "./Alerts";
import { AccuracyChart, ConfidenceChart, LatencyChart, LabelMixChart, TrafficChart } from "./charts";
import { Deployments } from "./Deployments";
import { Drift } from "./Drift";
import { daysOf, hoursOf, RANGES, tick } from "./range";
import "./charts.css";
import "./watch.css";

const REFRESH_MS = 30_000;
const DRIFT_REFRESH_MS = 300_000; // drift runs are hourly
const HOUR_MS = 3_600_000;

export default function WatchPage() {
  const hours = hoursOf(useSearch());
  const [, go] = useLocation();
  // TanStack Query pauses refetching while the page is hidden.
  const live = { refetchInterval: REFRESH_MS, refetchIntervalInBackground: false, placeholderData: <T,>(old: T) => old };
  const summary = useQuery({ queryKey: ["summary", hours], queryFn: () => readSummary(hours), ...live });
  const performance = useQuery({ queryKey: ["performance", hours], queryFn: () => readPerformance(daysOf(hours)), ...live });
  const drift = useQuery({ queryKey: ["drift", hours], queryFn: () => readDrift(new Date(Date.now() - hours * HOUR_MS)), ...live, refetchInterval: DRIFT_REFRESH_MS });
  const alerts = useQuery({ queryKey: ["alerts"], queryFn: readAlerts, ...live });
  const deployments = useQuery({ queryKey: ["deployments"], queryFn: readDeployments, ...live });
  const all = [summary, performance, drift, alerts, deployments];
  const [refreshing, setRefreshing] = useState(false);

  // The button stays enabled, because a disabled one would lose the focus.
  async function refresh() {
    if (refreshing) return;
    setRefreshing(true);
    await Promise.all(all.map((query) => query.refetch()));
    setRefreshing(false);
  }

  return (
    <>
      <h1>Monitoring</h1>
      <OfflineNote />
      <div className="row wrap">
        <SegmentedControl
          aria-label="Time range"
          value={String(hours)}
          onChange={(selected) => go(`/watch?hours=${selected}`)}
          data={RANGES.map((range) => ({ value: String(range.hours), label: range.name }))}
        />
        <Button variant="default" aria-busy={refreshing} onClick={() => void refresh()}>
          {refreshing ? "Refreshing …" : "Refresh"}
        </Button>
      </div>

      <Section title="Alerts" query={alerts}>
        {(found) => <Alerts alerts={found} />}
      </Section>

      <Section title="Traffic" query={summary}>
        {(summary) =>
          summary.predictions === 0 && !summary.requests?.counted ? (
            <Empty>No requests in this time range.</Empty>
          ) : (
            <>
              <dl className="tiles">
                <Tile name="Predictions" value={count(summary.predictions)} />
                <Tile name="p50" value={milliseconds(summary.inference_time_ms.p50)} />
                <Tile name="p95" value={milliseconds(summary.inference_time_ms.p95)} />
                <Tile name="p99" value={milliseconds(summary.inference_time_ms.p99)} />
                <Tile name="Truncated" value={percent(summary.truncated_share)} />
                <Tile name={errorsName(summary, hours)} value={percent(summary.requests?.error_rate, 2)} />
                <Tile name="Feedback" value={feedbackOf(summary)} />
              </dl>
              {summary.predictions > 0 && (
                <div className="charts">
                  <TrafficChart summary={summary} hours={hours} />
                  <LatencyChart summary={summary} hours={hours} />
                  <LabelMixChart summary={summary} hours={hours} />
                  <ConfidenceChart summary={summary} />
                </div>
              )}
            </>
          )
        }
      </Section>

      <Section title="Accuracy" query={performance}>
        {(performance) =>
          performance.days.length === 0 ? (
            <Empty>No labels or estimates in this time range.</Empty>
          ) : (
            <>
              <p>
                {performance.labeled.accuracy === null
                  ? "No labels"
                  : `By ${count(performance.labeled.labels)} labels ${percent(performance.labeled.accuracy)} (95% interval ${percent(performance.labeled.low)} to ${percent(performance.labeled.high)})`}
                {performance.monitor &&
                  `; last estimate without labels ${percent(performance.monitor.estimate.accuracy)} (${percent(performance.monitor.estimate.low)} to ${percent(performance.monitor.estimate.high)}); reference ${percent(performance.monitor.reference.accuracy)}`}
                . Labels from the review queue are for the hardest texts.
              </p>
              <div className="charts">
                <AccuracyChart performance={performance} />
              </div>
            </>
          )
        }
      </Section>

      <Section title="Drift" query={drift}>
        {(runs) => (runs.length === 0 ? <Empty>No drift runs in this time range.</Empty> : <Drift runs={runs} hours={hours} />)}
      </Section>

      <Section title="Deployments" query={deployments}>
        {(rows) => <Deployments deployments={rows} />}
      </Section>
    </>
  );
}

interface SectionProps<T> {
  title: string;
  query: { data: T | undefined; isPending: boolean; error: unknown; refetch: () => unknown };
  children: (data: T) => React.ReactNode;
}

function Section<T>({ title, query, children }: SectionProps<T>) {
  return (
    <section className="card" aria-label={title}>
      <h2>{title}</h2>
      {query.isPending && <Loading what={title} />}
      {query.error !== null && query.error !== undefined && <Failed error={query.error} retry={() => void query.refetch()} />}
      {query.data !== undefined && children(query.data)}
    </section>
  );
}

/** Requests are counted by whole hours, so the error rate has its own time range. */
function errorsName({ requests }: Summary, hours: number): string {
  return requests ? `Errors, ${tick(requests.since, hours)} to ${tick(requests.until, hours)}` : "Errors";
}

function feedbackOf({ feedback: { given, agreed } }: Summary): string {
  return given === 0 ? "none" : `${count(given)}, ${percent(agreed / given, 0)} agreed`;
}

function Tile({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
