/** How fast each int8 form is. */

import { Bar, BarChart, CartesianGrid, Tooltip, XAxis, YAxis } from "recharts";

import { milliseconds } from "../figures";
import { Chart } from "../watch/charts";
import type { Candidate } from "./card";

export default function MetricsChart({ candidates, chosen }: { candidates: Candidate[]; chosen: string | undefined }) {
  const data = candidates.map((one) => ({ form: one.name === chosen ? `${one.name} (chosen)` : one.name, ms: one.latency_ms }));
  return (
    <Chart title="Time for one text of 128 tokens, by int8 form" head={["Form", "Time"]} rows={data.map((one) => [one.form, milliseconds(one.ms)])}>
      <BarChart data={data} layout="vertical" margin={{ left: 0, right: 16 }} accessibilityLayer={false}>
        <CartesianGrid horizontal={false} stroke="var(--grid)" />
        <XAxis type="number" stroke="var(--quiet)" tickFormatter={(value: number) => milliseconds(value)} />
        <YAxis type="category" dataKey="form" width={150} stroke="var(--quiet)" tick={{ fontSize: 11, fill: "var(--quiet)" }} />
        <Tooltip formatter={(value) => milliseconds(Number(value))} />
        <Bar dataKey="ms" fill="var(--series-1)" isAnimationActive={false} />
      </BarChart>
    </Chart>
  );
}
