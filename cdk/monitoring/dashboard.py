"""The CloudWatch dashboard: from who calls to what it costs, in the order in which people look."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from constructs import Construct

from cdk.data.stack import DataStack
from cdk.environments import Environment
from cdk.serving.stack import ServingStack

DRIFT_THRESHOLD = 0.5  # the drift monitor's default
PERCENTILES = ("p50", "p95", "p99")
FIVE_MINUTES = cdk.Duration.minutes(5)


def figure(
    environment: Environment,
    name: str,
    statistic: str,
    *,
    service: str = "api",
    period: cdk.Duration = FIVE_MINUTES,
) -> cloudwatch.Metric:
    """Return a figure that a function counts itself."""
    return cloudwatch.Metric(
        namespace=environment.namespace,
        metric_name=name,
        dimensions_map={"service": service},
        statistic=statistic,
        period=period,
        label=f"{name} {statistic}",
    )


class Dashboard(Construct):
    """One page for one environment."""

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

    def _figure(self, name: str, statistic: str) -> cloudwatch.Metric:
        return figure(self.environment_settings, name, statistic)

    def _found(self, name: str, period: cdk.Duration | None = None) -> cloudwatch.Metric:
        """Return what the drift monitor counted in a run, of which there is one an hour or fewer."""
        settings = self.environment_settings
        return figure(
            settings, name, "Maximum", service="drift_monitor", period=period or cdk.Duration.hours(1)
        )

    def _traffic(self) -> list[cloudwatch.IWidget]:
        api, live = self.serving.http_api, self.serving.live
        cold = logs.MetricFilter(
            self,
            "ColdStarts",
            log_group=self.serving.api.log_group,
            # Only the report of an instance's first invocation has one of these.
            filter_pattern=logs.FilterPattern.any_term("Init Duration", "Restore Duration"),
            metric_namespace=self.environment_settings.namespace,
            metric_name="ColdStarts",
            metric_value="1",
        )
        counted = cold.metric(statistic="Sum", period=FIVE_MINUTES, label="cold starts")
        return [
            _graph("Requests", [_every_five(api.metric_count(), "Sum", "requests")]),
            _graph(
                "Latency, whole request (ms)",
                [self._figure("RequestTime", each) for each in PERCENTILES],
            ),
            _graph(
                "Errors and throttles",
                [
                    _every_five(api.metric_client_error(), "Sum", "4xx"),
                    _every_five(api.metric_server_error(), "Sum", "5xx"),
                    _every_five(live.metric_errors(), "Sum", "crashes and time-outs"),
                    _every_five(live.metric_throttles(), "Sum", "throttles"),
                ],
            ),
            _graph("Cold starts of the API", [counted]),
            _graph(
                "API function (ms)",
                [_every_five(live.metric_duration(), each, each) for each in PERCENTILES],
            ),
            _graph("Inference (ms)", [self._figure("InferenceTime", each) for each in PERCENTILES]),
        ]

    def _model(self) -> list[cloudwatch.IWidget]:
        namespace = self.environment_settings.namespace
        by_sentiment = cloudwatch.MathExpression(
            expression=f"SEARCH('{{{namespace},sentiment,service}} MetricName=\"Predictions\"', 'Sum', 300)",
            label="",  # each line is called by its own sentiment
            period=FIVE_MINUTES,
            using_metrics={},
        )
        return [
            _graph("Predictions by sentiment", [by_sentiment], stacked=True),
            _graph("Confidence", [self._figure("Confidence", each) for each in ("p10", "p50", "Average")]),
            _graph(
                "Novelty (about 1: like the training texts), truncated texts",
                [self._figure("Novelty", each) for each in ("p50", "p90", "p99")],
                right=[self._figure("Truncated", "Sum")],
            ),
        ]

    def _drift(self) -> list[cloudwatch.IWidget]:
        """Show what the drift monitor last said, hour by hour."""
        return [
            _graph(
                "Drift score",
                [self._found("DriftScore")],
                left_annotations=[cloudwatch.HorizontalAnnotation(value=DRIFT_THRESHOLD, label="alert")],
                left_y_axis=cloudwatch.YAxisProps(min=0, max=1),
            ),
            _graph(
                "Drift monitor: predictions judged, features that drifted",
                [self._found("WindowRows")],
                right=[self._found("DriftedFeatures")],
            ),
            _graph(
                "Accuracy as estimated without labels; feedback",
                [self._found("EstimatedAccuracy")],
                right=[self._figure("Feedback", "Sum")],
                left_y_axis=cloudwatch.YAxisProps(min=0, max=1),
            ),
            _graph("Hours since a window could be judged", [self._found("HoursSinceJudged")]),
        ]

    def _storage(self) -> list[cloudwatch.IWidget]:
        queue, dead, writer = (
            self.serving.queue,
            self.serving.dead_letter_queue,
            self.serving.log_writer,
        )
        database = self.data.database
        return [
            _graph(
                "Queue: age of the oldest fact (s), waiting",
                [_every_five(queue.metric_approximate_age_of_oldest_message(), "Maximum", "age")],
                right=[
                    _every_five(queue.metric_approximate_number_of_messages_visible(), "Maximum", "waiting")
                ],
            ),
            _graph(
                "Facts that were not stored; predictions missing by the day's count",
                [
                    _every_five(dead.metric_approximate_number_of_messages_visible(), "Maximum", "dead"),
                    self._figure("UnsentRecords", "Sum"),
                ],
                right=[self._found("MissingPredictions", cdk.Duration.days(1))],
            ),
            _graph(
                "Log writer: facts stored, time for a batch (ms)",
                [
                    _every_five(queue.metric_number_of_messages_deleted(), "Sum", "facts stored"),
                    _every_five(writer.metric_errors(), "Sum", "errors"),
                ],
                right=[_every_five(writer.metric_duration(), "p95", "p95")],
            ),
            _graph(
                "Database: CPU (%), connections",
                [_every_five(database.metric_cpu_utilization(), "Average", "CPU")],
                right=[_every_five(database.metric_database_connections(), "Maximum", "connections")],
            ),
            _graph(
                "Database: free storage and memory (bytes)",
                [_every_five(database.metric_free_storage_space(), "Minimum", "storage")],
                right=[_every_five(database.metric_freeable_memory(), "Minimum", "memory")],
            ),
        ]

    def _cost(self) -> list[cloudwatch.IWidget]:
        charges = cloudwatch.Metric(
            namespace="AWS/Billing",
            metric_name="EstimatedCharges",
            dimensions_map={"Currency": "USD"},
            region="us-east-1",  # where AWS keeps it, and only once billing alerts are switched on
            statistic="Maximum",
            period=cdk.Duration.hours(6),
            label="this month so far, whole account",
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


def _every_five(metric: cloudwatch.Metric, statistic: str, label: str) -> cloudwatch.Metric:
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
