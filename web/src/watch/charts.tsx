/** The charts. Each has a title, and its data as a table for screen readers. */

import { Bar, BarChart, CartesianGrid, ErrorBar, Legend, Line, LineChart, ResponsiveContainer, Tooltip, XAxis, YAxis } from "recharts";

import type { Performance, Summary } from "../api/reports";
import { count, milliseconds, percent, toneOf } from "../format";
import { tick } from "./range";

const HEIGHT = 220;
const MARGIN = { top: 8, right: 12, bottom: 0, left: 0 };
const COLORS = { first: "var(--series-1)", second: "var(--series-2)", third: "var(--series-3)" };
const DASHED = "6 3"; // readable without color
const noAnimation = { isAnimationActive: false };
const axis = { stroke: "var(--quiet)", tick: { fontSize: 12, fill: "var(--quiet)" } };
const share = { domain: [0, 1] as [number, number], tickFormatter: (value: number) => percent(value, 0) };

interface ChartProps {
  title: string;
  head: string[];
  rows: (string | number)[][];
  children: React.ReactElement;
}

export function Chart({ title, head, rows, children }: ChartProps) {
  return (
    <figure className="chart">
      <figcaption>{title}</figcaption>
      <div aria-hidden="true">
        <ResponsiveContainer width="100%" height={HEIGHT}>
          {children}
        </ResponsiveContainer>
      </div>
      <div className="hidden">
      <table>
        <caption>{title}</caption>
        <thead>
          <tr>
            {head.map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr key={index}>
              {row.map((cell, column) => (
                <td key={column}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      </div>
    </figure>
  );
}

export function TrafficChart({ summary, hours }: { summary: Summary; hours: number }) {
  const data = summary.over_time.map((bin) => ({ at: tick(bin.since, hours), predictions: bin.predictions }));
  return (
    <Chart title="Predictions" head={["From", "Predictions"]} rows={data.map((bin) => [bin.at, count(bin.predictions)])}>
      <BarChart data={data} margin={MARGIN} accessibilityLayer={false}>
        <CartesianGrid vertical={false} stroke="var(--grid)" />
        <XAxis dataKey="at" {...axis} minTickGap={24} />
        <YAxis {...axis} allowDecimals={false} width={44} />
        <Tooltip contentStyle={TOOLTIP} />
        <Bar dataKey="predictions" fill={COLORS.first} {...noAnimation} />
      </BarChart>
    </Chart>
  );
}

export function LatencyChart({ summary, hours }: { summary: Summary; hours: number }) {
  const data = summary.over_time.map((bin) => ({ at: tick(bin.since, hours), ...bin.inference_time_ms }));
  return (
    <Chart title="Inference time" head={["From", "p50", "p95"]} rows={data.map((bin) => [bin.at, milliseconds(bin.p50), milliseconds(bin.p95)])}>
      <LineChart data={data} margin={MARGIN} accessibilityLayer={false}>
        <CartesianGrid vertical={false} stroke="var(--grid)" />
        <XAxis dataKey="at" {...axis} minTickGap={24} />
        <YAxis {...axis} width={64} tickFormatter={(value: number) => milliseconds(value)} />
        <Tooltip contentStyle={TOOLTIP} formatter={(value) => milliseconds(Number(value))} />
        <Legend />
        <Line dataKey="p50" stroke={COLORS.first} strokeWidth={2} connectNulls {...noAnimation} />
        <Line dataKey="p95" stroke={COLORS.second} strokeWidth={2} strokeDasharray={DASHED} connectNulls {...noAnimation} />
      </LineChart>
    </Chart>
  );
}

export function LabelMixChart({ summary, hours }: { summary: Summary; hours: number }) {
  const labels = Object.keys(summary.by_sentiment).sort();
  const data = summary.over_time.map((bin) => ({ at: tick(bin.since, hours), ...bin.by_sentiment }));
  return (
    <Chart
      title="Predicted labels"
      head={["From", ...labels]}
      rows={summary.over_time.map((bin) => [tick(bin.since, hours), ...labels.map((label) => count(bin.by_sentiment[label] ?? 0))])}
    >
      <BarChart data={data} margin={MARGIN} stackOffset="expand" accessibilityLayer={false}>
        <CartesianGrid vertical={false} stroke="var(--grid)" />
        <XAxis dataKey="at" {...axis} minTickGap={24} />
        <YAxis {...axis} width={44} {...share} />
        <Tooltip contentStyle={TOOLTIP} />
        <Legend />
        {labels.map((label) => (
          <Bar key={label} dataKey={label} stackId="mix" fill={fillOf(label, labels)} stroke="var(--mantine-color-body)" {...noAnimation} />
        ))}
      </BarChart>
    </Chart>
  );
}

export function ConfidenceChart({ summary }: { summary: Summary }) {
  const data = summary.confidence.histogram
    .filter((bin) => bin.to > 0.5 || bin.predictions > 0) // with two labels, confidence is at least half
    .map((bin) => ({ bin: `${percent(bin.from, 0)}`, predictions: bin.predictions }));
  return (
    <Chart title="Confidence" head={["From", "Predictions"]} rows={data.map((bin) => [bin.bin, count(bin.predictions)])}>
      <BarChart data={data} margin={MARGIN} accessibilityLayer={false}>
        <CartesianGrid vertical={false} stroke="var(--grid)" />
        <XAxis dataKey="bin" {...axis} minTickGap={16} />
        <YAxis {...axis} allowDecimals={false} width={44} />
        <Tooltip contentStyle={TOOLTIP} />
        <Bar dataKey="predictions" fill={COLORS.first} {...noAnimation} />
      </BarChart>
    </Chart>
  );
}

export function AccuracyChart({ performance }: { performance: Performance }) {
  const data = [...performance.days].reverse().map((day) => ({
    day: day.day.slice(5),
    labeled: day.accuracy,
    spread: day.accuracy === null || day.low === null || day.high === null ? undefined : [day.accuracy - day.low, day.high - day.accuracy],
    estimated: day.estimate?.accuracy ?? null,
    estimatedSpread: day.estimate ? [day.estimate.accuracy - day.estimate.low, day.estimate.high - day.estimate.accuracy] : undefined,
  }));
  const lows = performance.days.flatMap((day) => [day.low, day.estimate?.low]).filter((low) => typeof low === "number");
  const lowest = Math.floor(10 * Math.min(1, ...lows)) / 10;
  return (
    <Chart title="Accuracy by day (UTC), with 95% intervals" head={["Day", "By labels", "Estimated"]} rows={data.map((day) => [day.day, percent(day.labeled), percent(day.estimated)])}>
      <LineChart data={data} margin={MARGIN} accessibilityLayer={false}>
        <CartesianGrid vertical={false} stroke="var(--grid)" />
        <XAxis dataKey="day" {...axis} padding={{ left: 16, right: 16 }} />
        <YAxis {...axis} width={44} {...share} domain={[lowest, 1]} />
        <Tooltip contentStyle={TOOLTIP} formatter={(value) => percent(Number(value))} />
        <Legend />
        <Line name="by labels" dataKey="labeled" stroke={COLORS.first} strokeWidth={2} connectNulls {...noAnimation}>
          <ErrorBar dataKey="spread" stroke={COLORS.first} width={4} />
        </Line>
        <Line name="estimated" dataKey="estimated" stroke={COLORS.second} strokeWidth={2} strokeDasharray={DASHED} connectNulls {...noAnimation}>
          <ErrorBar dataKey="estimatedSpread" stroke={COLORS.second} width={4} />
        </Line>
      </LineChart>
    </Chart>
  );
}

export function LinesChart({ title, data, unit }: { title: string; data: { at: string; value: number; threshold: number | null }[]; unit: string }) {
  return (
    <Chart title={title} head={["Until", unit, "Threshold"]} rows={data.map((point) => [point.at, point.value.toFixed(3), point.threshold?.toFixed(3) ?? "–"])}>
      <LineChart data={data} margin={MARGIN} accessibilityLayer={false}>
        <CartesianGrid vertical={false} stroke="var(--grid)" />
        <XAxis dataKey="at" {...axis} minTickGap={24} />
        <YAxis {...axis} width={48} />
        <Tooltip contentStyle={TOOLTIP} formatter={(value) => Number(value).toFixed(3)} />
        <Legend />
        <Line name={unit} dataKey="value" stroke={COLORS.first} strokeWidth={2} {...noAnimation} />
        <Line name="threshold" dataKey="threshold" stroke={COLORS.second} strokeDasharray={DASHED} dot={false} {...noAnimation} />
      </LineChart>
    </Chart>
  );
}

// Positive and negative have the same colors as everywhere on the page; no other label uses them.
function fillOf(label: string, labels: string[]): string {
  const tone = toneOf(label);
  if (tone === "positive") return COLORS.first;
  if (tone === "negative") return COLORS.second;
  const available = labels.some((one) => toneOf(one) !== "neutral") ? [COLORS.third, "var(--quiet)"] : [...Object.values(COLORS), "var(--quiet)"];
  const others = labels.filter((one) => toneOf(one) === "neutral");
  return available[others.indexOf(label) % available.length] ?? COLORS.third;
}

const TOOLTIP = { background: "var(--mantine-color-body)", color: "var(--mantine-color-text)", border: "1px solid var(--grid)" };
