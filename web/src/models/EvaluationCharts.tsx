/** Evaluation charts: reliability of the confidence, and latency of the int8 variants. */

import { Bar, BarChart, CartesianGrid, Legend, Line, LineChart, Tooltip, XAxis, YAxis } from "recharts";

import type { Candidate, ReliabilityBin } from "../api/client";
import { count, milliseconds, percent } from "../format";
import { Chart } from "../watch/charts";

const noAnimation = { isAnimationActive: false };
const tick = { fontSize: 12, fill: "var(--quiet)" };
const shares = { type: "number" as const, domain: [0, 1] as [number, number], tickFormatter: (value: number) => percent(value, 0) };

export function Reliability({ bins }: { bins: ReliabilityBin[] }) {
  const data = bins.map((bin) => ({ ...bin, ideal: bin.confidence }));
  return (
    <Chart
      title="Reliability: accuracy by confidence"
      head={["Mean confidence", "Accuracy", "Texts"]}
      rows={bins.map((bin) => [percent(bin.confidence), percent(bin.accuracy), count(bin.rows)])}
    >
      <LineChart data={data} margin={{ top: 8, right: 16, bottom: 0, left: 0 }} accessibilityLayer={false}>
        <CartesianGrid stroke="var(--grid)" />
        <XAxis dataKey="confidence" {...shares} domain={["dataMin", 1]} stroke="var(--quiet)" tick={tick} />
        <YAxis {...shares} width={48} stroke="var(--quiet)" tick={tick} />
        <Tooltip formatter={(value) => percent(Number(value))} labelFormatter={(value) => `confidence ${percent(Number(value))}`} />
        <Legend />
        <Line name="accuracy" dataKey="accuracy" stroke="var(--series-1)" strokeWidth={2} {...noAnimation} />
        <Line name="perfectly calibrated" dataKey="ideal" stroke="var(--series-2)" strokeDasharray="6 3" dot={false} {...noAnimation} />
      </LineChart>
    </Chart>
  );
}

export function VariantLatency({ candidates, chosen }: { candidates: Candidate[]; chosen?: string | null }) {
  const data = candidates.map(({ name, latency_ms: ms }) => ({ variant: `${name.replaceAll(/[-_]/g, " ")}${name === chosen ? " (chosen)" : ""}`, ms }));
  return (
    <Chart title="Latency of int8 variants, one text of 128 tokens" head={["Variant", "Latency"]} rows={data.map(({ variant, ms }) => [variant, milliseconds(ms)])}>
      <BarChart data={data} layout="vertical" margin={{ left: 0, right: 16 }} accessibilityLayer={false}>
        <CartesianGrid horizontal={false} stroke="var(--grid)" />
        <XAxis type="number" stroke="var(--quiet)" tick={tick} tickFormatter={(value: number) => milliseconds(value)} />
        <YAxis type="category" dataKey="variant" width={150} stroke="var(--quiet)" tick={{ fontSize: 11, fill: "var(--quiet)" }} />
        <Tooltip formatter={(value) => milliseconds(Number(value))} />
        <Bar dataKey="ms" fill="var(--series-1)" {...noAnimation} />
      </BarChart>
    </Chart>
  );
}
