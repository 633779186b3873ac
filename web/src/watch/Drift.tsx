/** Drift over time: the score and each feature, with their thresholds. */

import { Select, Table } from "@mantine/core";
import { useState } from "react";

import type { DriftRun } from "../api/reports";
import { DataTable } from "../DataTable";
import { count, moment } from "../format";
import { LinesChart } from "./charts";
import { featuresOf, thresholdOf, seriesOf } from "./drift";
import { ReportLink } from "./ReportLink";
import { tick } from "./range";

export function Drift({ runs, hours }: { runs: DriftRun[]; hours: number }) {
  const series = seriesOf(runs);
  const [selected, setSelected] = useState<string | null>(null);
  const shown = series.find((one) => one.feature === selected) ?? series[0];
  const latest = runs[0];
  return (
    <>
      {latest && (
        <p>
          Last run {moment(latest.at)} on {count(latest.rows)} predictions by <code>{latest.model_version}</code>: score{" "}
          {latest.score.toFixed(2)}. <ReportLink runId={async () => latest.id} />
        </p>
      )}
      <div className="charts">
        <LinesChart
          title="Drift score"
          unit="score"
          data={[...runs].reverse().map((run) => ({ at: tick(run.until, hours), value: run.score, threshold: thresholdOf(run) }))}
        />
        {shown && (
          <div>
            <Select
              label="Feature"
              value={shown.feature}
              onChange={setSelected}
              allowDeselect={false}
              data={series.map((one) => one.feature)}
            />
            <LinesChart
              title={`Effect size of ${shown.feature}`}
              unit="effect"
              data={shown.points.map((point) => ({ at: tick(point.at, hours), value: point.effect, threshold: point.threshold }))}
            />
          </div>
        )}
      </div>
      {latest && (
        <DataTable name="Features of the last run" columns={["Feature", "Measure", "Effect", "Threshold", "Drifted"]} fit>
          {featuresOf(latest).map((one) => (
            <Table.Tr key={one.feature}>
              <Table.Td>{one.feature}</Table.Td>
              <Table.Td>{one.method}</Table.Td>
              <Table.Td className="number">{one.effect.toFixed(3)}</Table.Td>
              <Table.Td className="number">{one.threshold.toFixed(3)}</Table.Td>
              <Table.Td>{one.drifted ? "yes" : "no"}</Table.Td>
            </Table.Tr>
          ))}
        </DataTable>
      )}
    </>
  );
}
