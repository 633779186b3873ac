"""The CloudWatch dashboard: traffic, model, drift, storage, and cost."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from constructs import Construct

from cdk.data.stack import DataStack
from cdk.environments import Environment
from cdk.metrics import DAY, FIVE_MINUTES, HOUR, queue_depth, service_metric
from cdk.serving.stack import ServingStack

DRIFT_THRESHOLD = 0.5  # the drift monitor's default
PERCENTILES = ("p50", "p95", "p99")


class Dashboard(Construct):
    """The dashboard of one environment."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        environment: Environment,
        data: DataStack,
        serving: ServingStack,
        alarms: Sequence[cloudwatch.IAlarm],
    ) -> None:
        super().__init__(scope, id)
        self.environment_settings, self.data, self.serving = environment, data, serving
        self.page = cloudwatch.Dashboard(self, "Page", default_interval=cdk.Duration.hours(24))
        self.page.add_widgets(cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(alarms), width=24))
        panels = [*self._traffic(), *self._model(), *self._drift(), *self._storage(), *self._cost()]
        for start in range(0, len(panels), 3):
            self.page.add_widgets(*panels[start : start + 3])

    def _api_metric(self, name: str, statistic: str) -> cloudwatch.Metric:
        return service_metric(self.environment_settings, name, statistic)

    def _drift_metric(self, name: str, period: cdk.Duration = HOUR) -> cloudwatch.Metric:
        """Return a metric that the drift monitor publishes once per run, at most hourly."""
        return service_metric(
            self.environment_settings, name, "Maximum", service="drift_monitor", period=period
        )

    def _traffic(self) -> list[cloudwatch.IWidget]:
        api, live = self.serving.http_api, self.serving.live
        cold_starts = logs.MetricFilter(
            self,
            "ColdStarts",
            log_group=self.serving.api.log_group,
            # Only the REPORT line of an instance's first invocation contains one of these.
            filter_pattern=logs.FilterPattern.any_term("Init Duration", "Restore Duration"),
            metric_namespace=self.environment_settings.namespace,
            metric_name="ColdStarts",
            metric_value="1",
        )
        return [
            _graph("Requests", [_line(api.metric_count(), "Sum", "requests")]),
            _graph(
                "Request latency in the API (ms)",
                [self._api_metric("RequestTime", each) for each in PERCENTILES],
            ),
            _graph(
                "Errors and throttles",
                [
                    _line(api.metric_client_error(), "Sum", "4xx"),
                    _line(api.metric_server_error(), "Sum", "5xx"),
                    _line(live.metric_errors(), "Sum", "crashes and time-outs"),
                    _line(live.metric_throttles(), "Sum", "throttles"),
                ],
            ),
            _graph(
                "Cold starts of the API",
                [cold_starts.metric(statistic="Sum", period=FIVE_MINUTES, label="cold starts")],
            ),
            _graph(
                "Duration of the API function (ms)",
                [_line(live.metric_duration(), each, each) for each in PERCENTILES],
            ),
            _graph("Inference (ms)", [self._api_metric("InferenceTime", each) for each in PERCENTILES]),
        ]

    def _model(self) -> list[cloudwatch.IWidget]:
        namespace = self.environment_settings.namespace
        by_sentiment = cloudwatch.MathExpression(
            expression=f"SEARCH('{{{namespace},sentiment,service}} MetricName=\"Predictions\"', 'Sum', 300)",
            label="",  # each line is labeled with its sentiment
            period=FIVE_MINUTES,
            using_metrics={},
        )
        return [
            _graph("Predictions by sentiment", [by_sentiment], stacked=True),
            _graph(
                "Confidence", [self._api_metric("Confidence", each) for each in ("p10", "p50", "Average")]
            ),
            _graph(
                "Novelty (about 1: like the training texts), truncated texts",
                [self._api_metric("Novelty", each) for each in ("p50", "p90", "p99")],
                right=[self._api_metric("Truncated", "Sum")],
            ),
        ]

    def _drift(self) -> list[cloudwatch.IWidget]:
        """Show the drift monitor's results by the hour."""
        return [
            _graph(
                "Drift score",
                [self._drift_metric("DriftScore")],
                left_annotations=[cloudwatch.HorizontalAnnotation(value=DRIFT_THRESHOLD, label="alert")],
                left_y_axis=cloudwatch.YAxisProps(min=0, max=1),
            ),
            _graph(
                "Drift monitor: predictions in the window, drifted features",
                [self._drift_metric("WindowRows")],
                right=[self._drift_metric("DriftedFeatures")],
            ),
            _graph(
                "Estimated accuracy (without labels), feedback",
                [self._drift_metric("EstimatedAccuracy")],
                right=[self._api_metric("Feedback", "Sum")],
                left_y_axis=cloudwatch.YAxisProps(min=0, max=1),
            ),
            _graph("Hours since the last judged window", [self._drift_metric("HoursSinceJudged")]),
        ]

    def _storage(self) -> list[cloudwatch.IWidget]:
        queue, dead_letters, writer = (
            self.serving.queue,
            self.serving.dead_letter_queue,
            self.serving.log_writer,
        )
        database = self.data.database
        return [
            _graph(
                "Queue: age of the oldest fact (s), waiting",
                [_line(queue.metric_approximate_age_of_oldest_message(), "Maximum", "age")],
                right=[_line(queue.metric_approximate_number_of_messages_visible(), "Maximum", "waiting")],
            ),
            _graph(
                "Messages not stored, missing predictions per day",
                [
                    queue_depth(dead_letters).with_(label="dead letters"),
                    self._api_metric("UnsentRecords", "Sum"),
                ],
                right=[self._drift_metric("MissingPredictions", DAY)],
            ),
            _graph(
                "Log writer: messages stored, batch duration (ms)",
                [
                    _line(queue.metric_number_of_messages_deleted(), "Sum", "messages stored"),
                    _line(writer.metric_errors(), "Sum", "errors"),
                ],
                right=[_line(writer.metric_duration(), "p95", "p95")],
            ),
            _graph(
                "Database: CPU (%), connections",
                [_line(database.metric_cpu_utilization(), "Average", "CPU")],
                right=[_line(database.metric_database_connections(), "Maximum", "connections")],
            ),
            _graph(
                "Database: free storage and memory (bytes)",
                [_line(database.metric_free_storage_space(), "Minimum", "storage")],
                right=[_line(database.metric_freeable_memory(), "Minimum", "memory")],
            ),
        ]

    def _cost(self) -> list[cloudwatch.IWidget]:
        charges = cloudwatch.Metric(
            namespace="AWS/Billing",
            metric_name="EstimatedCharges",
            dimensions_map={"Currency": "USD"},
            region="us-east-1",  # where AWS publishes it, once billing alerts are enabled
            statistic="Maximum",
            period=cdk.Duration.hours(6),
            label="month to date, whole account",
        )
        return [
            _graph(
                "Cost (dollars)",
                [charges],
                left_annotations=[
                    cloudwatch.HorizontalAnnotation(
                        value=self.environment_settings.monthly_budget_dollars, label="monthly budget"
                    )
                ],
            )
        ]


def _line(metric: cloudwatch.Metric, statistic: str, label: str) -> cloudwatch.Metric:
    return metric.with_(period=FIVE_MINUTES, statistic=statistic, label=label)


def _graph(
    title: str,
    left: Sequence[cloudwatch.IMetric],
    *,
    right: Sequence[cloudwatch.IMetric] = (),
    stacked: bool = False,
    left_annotations: Sequence[cloudwatch.HorizontalAnnotation] = (),
    left_y_axis: cloudwatch.YAxisProps | None = None,
) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title=title,
        left=list(left),
        right=list(right),
        stacked=stacked,
        left_annotations=list(left_annotations),
        left_y_axis=left_y_axis or cloudwatch.YAxisProps(min=0),
        width=8,
        height=6,
    )
