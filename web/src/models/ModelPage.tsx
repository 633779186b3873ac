/** The model that answers: what it is, what it was trained on, how good it is, and which came before it. */

import { Table } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense } from "react";

import { type Card, type Metrics, readCard } from "../api/client";
import { readDeployments } from "../api/reports";
import { DataTable } from "../DataTable";
import { count, milliseconds, moment, percent } from "../figures";
import { Failed, Loading } from "../states";
import { Deployments } from "../watch/Deployments";
import { Confusion } from "./Confusion";
import "../watch/charts.css";
import "./models.css";

const Reliability = lazy(async () => ({ default: (await import("./EvaluationCharts")).Reliability }));
const FormTimes = lazy(async () => ({ default: (await import("./EvaluationCharts")).FormTimes }));

export default function ModelPage() {
  const read = useQuery({ queryKey: ["card"], queryFn: readCard, staleTime: 60_000 });
  const deployments = useQuery({ queryKey: ["deployments"], queryFn: readDeployments });
  return (
    <>
      <h1>The model that answers</h1>
      {read.isPending && <Loading what="the model card" />}
      {read.isError && <Failed error={read.error} retry={() => void read.refetch()} />}
      {read.data && <Shown card={read.data} />}
      <section className="card" aria-label="Versions">
        <h2>Versions</h2>
        {deployments.isPending && <Loading what="the versions" />}
        {deployments.isError && <Failed error={deployments.error} retry={() => void deployments.refetch()} />}
        {deployments.data && <Deployments deployments={deployments.data} />}
      </section>
    </>
  );
}

function Shown({ card }: { card: Card }) {
  const { metrics, data, export: exported, calibration } = card;
  return (
    <>
      <section className="card" aria-label="Card">
        <h2>
          <code>{card.model_version}</code>
        </h2>
        <Facts
          facts={[
            ["Made", card.created_at && moment(card.created_at)],
            ["Labels", card.labels.join(", ")],
            ["Reads", `${card.max_length} tokens, ${card.truncation.replace("_", " and ")}`],
            ["Built from", [card.base_model, ...Object.entries(card.architecture ?? {}).map(([name, value]) => `${name} ${value}`)].filter(Boolean).join(", ")],
            ["Trained on", data && `${data.name}: ${count(data.rows?.train ?? 0)} texts`],
            ["Data fingerprint", data?.fingerprint],
            ["Left out", data?.dropped && Object.entries(data.dropped).map(([why, rows]) => `${count(rows)} ${why.replace("_", " ")}`).join(", ")],
            ["Temperature", calibration?.temperature?.toFixed(2)],
            ["MLflow run", card.mlflow_run_id],
            ["Commit", card.git_commit],
          ]}
        />
      </section>
      {metrics?.int8 && metrics.fp32 && (
        <section className="card" aria-label="Evaluation">
          <h2>On {count(metrics.rows ?? 0)} held-out texts</h2>
          <DataTable name="Figures" columns={["", "Accuracy", "95% interval", "F1", "ROC AUC", "Calibration error"]} fit>
            <MetricsRow name="int8, which answers" metrics={metrics.int8} />
            <MetricsRow name="fp32" metrics={metrics.fp32} />
          </DataTable>
          <p>Quantizing changed {percent(metrics.flipped)} of the decisions.</p>
          <div className="charts">
            {metrics.confusion && <Confusion labels={card.labels} counts={metrics.confusion} />}
            <Suspense fallback={<Loading what="the charts" />}>
              {metrics.reliability && <Reliability bins={metrics.reliability} />}
            </Suspense>
          </div>
        </section>
      )}
      {exported?.candidates && (
        <section className="card" aria-label="Export">
          <h2>Int8 forms that were tried</h2>
          <Suspense fallback={<Loading what="the chart" />}>
            <FormTimes candidates={exported.candidates} chosen={exported.chosen} />
          </Suspense>
          <DataTable name="Int8 forms" columns={["Form", "Accuracy", "Flipped", "Time", "Size", "Gate"]}>
            {exported.candidates.map((one) => (
              <Table.Tr key={one.name}>
                <Table.Td>
                  {one.name}
                  {one.name === exported.chosen && " (chosen)"}
                </Table.Td>
                <Table.Td className="number">{percent(one.accuracy)}</Table.Td>
                <Table.Td className="number">{percent(one.flipped)}</Table.Td>
                <Table.Td className="number">{milliseconds(one.latency_ms)}</Table.Td>
                <Table.Td className="number">{one.size_mb.toFixed(1)} MB</Table.Td>
                <Table.Td>{one.passed ? "passed" : "refused"}</Table.Td>
              </Table.Tr>
            ))}
          </DataTable>
        </section>
      )}
    </>
  );
}

function MetricsRow({ name, metrics }: { name: string; metrics: Metrics }) {
  const interval = metrics.accuracy_ci95;
  return (
    <Table.Tr>
      <Table.Th scope="row">{name}</Table.Th>
      <Table.Td className="number">{percent(metrics.accuracy)}</Table.Td>
      <Table.Td className="number">{interval ? `${percent(interval[0])} to ${percent(interval[1])}` : "–"}</Table.Td>
      <Table.Td className="number">{percent(metrics.f1)}</Table.Td>
      <Table.Td className="number">{metrics.roc_auc?.toFixed(3) ?? "–"}</Table.Td>
      <Table.Td className="number">{percent(metrics.ece)}</Table.Td>
    </Table.Tr>
  );
}

function Facts({ facts }: { facts: [string, string | null | undefined | false][] }) {
  return (
    <dl className="facts">
      {facts.map(([name, value]) =>
        value ? (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ) : null,
      )}
    </dl>
  );
}
