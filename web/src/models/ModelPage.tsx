/** The served model: its card, evaluation and int8 variants, and the deployments. */

import { Table } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense } from "react";

import { type Card, type Metrics, readCard } from "../api/client";
import { readDeployments } from "../api/reports";
import { DataTable } from "../DataTable";
import { count, milliseconds, moment, percent } from "../format";
import { Failed, Loading } from "../states";
import { Deployments } from "../watch/Deployments";
import { ConfusionMatrix } from "./ConfusionMatrix";
import "../watch/charts.css";
import "./models.css";

const Reliability = lazy(async () => ({ default: (await import("./EvaluationCharts")).Reliability }));
const VariantLatency = lazy(async () => ({ default: (await import("./EvaluationCharts")).VariantLatency }));

const BASELINES: Record<string, string> = {
  majority: "Most frequent label",
  wide: "Wide part alone",
  deep: "Deep part alone (fp32)",
};

/** A candidate without a result was not needed, as a preferred one had passed. */
const GATE: Record<string, string> = { true: "passed", false: "failed", null: "not needed" };

/** Percentage points with their sign. */
const points = (share: number) => `${share < 0 ? "−" : "+"}${Math.abs(100 * share).toFixed(1)}`;

export default function ModelPage() {
  const card = useQuery({ queryKey: ["card"], queryFn: readCard, staleTime: 60_000 });
  const deployments = useQuery({ queryKey: ["deployments"], queryFn: readDeployments });
  return (
    <>
      <h1>Model</h1>
      {card.isPending && <Loading what="the model card" />}
      {card.isError && <Failed error={card.error} retry={() => void card.refetch()} />}
      {card.data && <ModelCard card={card.data} />}
      <section className="card" aria-label="Versions">
        <h2>Versions</h2>
        {deployments.isPending && <Loading what="the deployments" />}
        {deployments.isError && <Failed error={deployments.error} retry={() => void deployments.refetch()} />}
        {deployments.data && <Deployments deployments={deployments.data} />}
      </section>
    </>
  );
}

function ModelCard({ card }: { card: Card }) {
  const { metrics, data, export: exported, calibration } = card;
  return (
    <>
      <section className="card" aria-label="Card">
        <h2>
          <code>{card.model_version}</code>
        </h2>
        <Facts
          facts={[
            ["Created", card.created_at && moment(card.created_at)],
            ["Labels", card.labels.join(", ")],
            ["Input", `${card.max_length} tokens, ${card.truncation.replace("_", " and ")}`],
            ["Base model", [card.base_model, ...Object.entries(card.architecture ?? {}).map(([name, value]) => `${name} ${value}`)].filter(Boolean).join(", ")],
            ["Trained on", data && `${data.name}: ${count(data.rows?.train ?? 0)} texts`],
            ["Data fingerprint", data?.fingerprint],
            ["Dropped", data?.dropped && Object.entries(data.dropped).map(([reason, rows]) => `${count(rows)} ${reason.replace("_", " ")}`).join(", ")],
            ["Temperature", calibration?.temperature?.toFixed(2)],
            ["MLflow run", card.mlflow_run_id],
            ["Commit", card.git_commit],
          ]}
        />
      </section>
      {metrics?.int8 && metrics.fp32 && (
        <section className="card" aria-label="Evaluation">
          <h2>Evaluation on {count(metrics.rows ?? 0)} held-out texts</h2>
          <DataTable name="Metrics" columns={["", "Accuracy", "95% interval", "F1", "ROC AUC", "Calibration error"]} fit>
            <MetricsRow name="int8 (serving)" metrics={metrics.int8} />
            <MetricsRow name="fp32" metrics={metrics.fp32} />
          </DataTable>
          <p>Quantization changed {percent(metrics.flipped)} of the predictions.</p>
          {metrics.baselines && (
            <DataTable name="Baselines" columns={["On the same texts", "Accuracy", "Gain of the model", "95% interval"]} fit>
              {Object.entries(metrics.baselines).map(([name, { accuracy, gain, gain_ci95: [low, high] }]) => (
                <Table.Tr key={name}>
                  <Table.Th scope="row">{BASELINES[name] ?? name}</Table.Th>
                  <Table.Td className="number">{percent(accuracy)}</Table.Td>
                  <Table.Td className="number">{points(gain)}</Table.Td>
                  <Table.Td className="number">{low !== undefined && high !== undefined ? `${points(low)} to ${points(high)}` : "–"}</Table.Td>
                </Table.Tr>
              ))}
            </DataTable>
          )}
          <div className="charts">
            {metrics.confusion && <ConfusionMatrix labels={card.labels} counts={metrics.confusion} />}
            <Suspense fallback={<Loading what="the charts" />}>
              {metrics.reliability && <Reliability bins={metrics.reliability} />}
            </Suspense>
          </div>
        </section>
      )}
      {exported?.candidates && (
        <section className="card" aria-label="Export">
          <h2>int8 variants</h2>
          <Suspense fallback={<Loading what="the chart" />}>
            <VariantLatency candidates={exported.candidates} chosen={exported.chosen} />
          </Suspense>
          <DataTable name="int8 variants" columns={["Variant", "Accuracy", "Changed", "Latency", "Size", "Gate"]}>
            {exported.candidates.map((candidate) => (
              <Table.Tr key={candidate.name}>
                <Table.Td>
                  {candidate.name}
                  {candidate.name === exported.chosen && " (chosen)"}
                </Table.Td>
                <Table.Td className="number">{percent(candidate.accuracy)}</Table.Td>
                <Table.Td className="number">{percent(candidate.flipped)}</Table.Td>
                <Table.Td className="number">{milliseconds(candidate.latency_ms)}</Table.Td>
                <Table.Td className="number">{candidate.size_mb.toFixed(1)} MB</Table.Td>
                <Table.Td>{GATE[String(candidate.passed)]}</Table.Td>
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
