/** What the system does: traffic, speed, answers, accuracy, drift, alerts, deployments. */

import { Button, SegmentedControl } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useSearch, useLocation } from "wouter";

import { readAlerts, readDeployments, readDrift, readPerformance, readSummary, type Summary } from "../api/reports";
import { count, milliseconds, percent } from "../figures";
import { Empty, Failed, Loading, OfflineNote } from "../states";
import { Alerts } from "./Alerts";
import { AccuracyChart, ConfidenceChart, LatencyChart, MixChart, TrafficChart } from "./charts";
import { Deployments } from "./Deployments";
import { Drift } from "./Drift";
import { daysOf, hoursOf, RANGES, tick } from "./range";
import "./charts.css";
import "./watch.css";

const REFRESH_MS = 30_000;
const DRIFT_REFRESH_MS = 300_000; // it is judged once an hour
const HOUR_MS = 3_600_000;

export default function WatchPage() {
  const hours = hoursOf(useSearch());
  const [, go] = useLocation();
  // TanStack Query lets the clock rest while the page is hidden.
  const live = { refetchInterval: REFRESH_MS, refetchIntervalInBackground: false, placeholderData: <T,>(old: T) => old };
  const summary = useQuery({ queryKey: ["summary", hours], queryFn: () => readSummary(hours), ...live });
  const performance = useQuery({ queryKey: ["performance", hours], queryFn: () => readPerformance(daysOf(hours)), ...live });
  const drift = useQuery({ queryKey: ["drift", hours], queryFn: () => readDrift(new Date(Date.now() - hours * HOUR_MS)), ...live, refetchInterval: DRIFT_REFRESH_MS });
  const alerts = useQuery({ queryKey: ["alerts"], queryFn: readAlerts, ...live });
  const deployments = useQuery({ queryKey: ["deployments"], queryFn: readDeployments, ...live });
  const all = [summary, performance, drift, alerts, deployments];
  const [refreshing, setRefreshing] = useState(false);

  // The button stays enabled, since a disabled one would lose the focus of whoever pressed it.
  async function refresh() {
    if (refreshing) return;
    setRefreshing(true);
    await Promise.all(all.map((one) => one.refetch()));
    setRefreshing(false);
  }

  return (
    <>
      <h1>What it does</h1>
      <OfflineNote />
      <div className="row wrap">
        <SegmentedControl
          aria-label="Time range"
          value={String(hours)}
          onChange={(chosen) => go(`/watch?hours=${chosen}`)}
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
        {(figures) =>
          figures.predictions === 0 && !figures.requests?.counted ? (
            <Empty>Nobody asked anything in this time.</Empty>
          ) : (
            <>
              <dl className="tiles">
                <Tile name="Predictions" value={count(figures.predictions)} />
                <Tile name="p50" value={milliseconds(figures.inference_time_ms.p50)} />
                <Tile name="p95" value={milliseconds(figures.inference_time_ms.p95)} />
                <Tile name="p99" value={milliseconds(figures.inference_time_ms.p99)} />
                <Tile name="Read in part" value={percent(figures.truncated_share)} />
                <Tile name={errorsName(figures, hours)} value={percent(figures.requests?.error_rate, 2)} />
                <Tile name="Feedback" value={feedbackOf(figures)} />
              </dl>
              {figures.predictions > 0 && (
                <div className="charts">
                  <TrafficChart summary={figures} hours={hours} />
                  <LatencyChart summary={figures} hours={hours} />
                  <MixChart summary={figures} hours={hours} />
                  <ConfidenceChart summary={figures} />
                </div>
              )}
            </>
          )
        }
      </Section>

      <Section title="Accuracy" query={performance}>
        {(figures) =>
          figures.days.length === 0 ? (
            <Empty>Neither labels nor estimates in this time.</Empty>
          ) : (
            <>
              <p>
                {figures.labelled.accuracy === null
                  ? "No labels"
                  : `By ${count(figures.labelled.labels)} labels ${percent(figures.labelled.accuracy)} (95% interval ${percent(figures.labelled.low)} to ${percent(figures.labelled.high)})`}
                {figures.monitor &&
                  `; by the last estimate, which needs no labels, ${percent(figures.monitor.estimate.accuracy)} (${percent(figures.monitor.estimate.low)} to ${percent(figures.monitor.estimate.high)}); on the reference ${percent(figures.monitor.reference.accuracy)}`}
                . Labels from the review queue are of the hardest texts.
              </p>
              <div className="charts">
                <AccuracyChart performance={figures} />
              </div>
            </>
          )
        }
      </Section>

      <Section title="Drift" query={drift}>
        {(runs) => (runs.length === 0 ? <Empty>The drift monitor did not run in this time.</Empty> : <Drift runs={runs} hours={hours} />)}
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

/** Requests are counted by whole hours, so the rate is of a time of its own. */
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
