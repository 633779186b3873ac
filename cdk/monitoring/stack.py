"""The monitoring stack: drift monitor, traffic counter, alarms, dashboard, budget, and notifications.

Its alarms do not roll releases back; those that do are in cdk/serving/releases.py.
"""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from cdk.alarms import add_alarms, runbook
from cdk.data.stack import DataStack
from cdk.environments import Environment
from cdk.function_config import DRIFT_MONITOR, SLACK_NOTIFIER, TRAFFIC_COUNTER
from cdk.metrics import HOUR
from cdk.monitoring.alarm_specs import (
    drift_alarm_specs,
    function_alarm_specs,
    notification_alarm_specs,
    storage_alarm_specs,
    traffic_alarm_specs,
)
from cdk.monitoring.dashboard import Dashboard
from cdk.packaging import image_function, zip_function
from cdk.permissions import allow
from cdk.queues import dead_letter_queue
from cdk.schedules import Schedules
from cdk.serving.api import MODEL_DIR
from cdk.serving.stack import ServingStack


class MonitoringStack(cdk.Stack):
    """Drift monitor, traffic counter, alarms, dashboard, budget, email and Slack notifications."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        environment: Environment,
        data: DataStack,
        serving: ServingStack,
        state_machine: sfn.IStateMachine,
        **stack: Any,
    ) -> None:
        super().__init__(scope, id, **stack)
        self.environment_settings = environment
        self.data = data
        self.serving = serving
        self.drift_dead_letters = dead_letter_queue(self, "DriftMonitorDeadLetterQueue")
        self.traffic_dead_letters = dead_letter_queue(self, "TrafficCounterDeadLetterQueue")
        self.drift_monitor = self._drift_monitor(state_machine)
        self.traffic_counter = self._traffic_counter()
        self._add_schedules()
        for address in environment.alert_emails:
            data.alert_topic.add_subscription(subscriptions.EmailSubscription(address))
        slack_dead_letters = None
        if environment.slack_webhook_secret_arn:
            slack_dead_letters = dead_letter_queue(self, "SlackDeadLetterQueue")
            self._add_slack(environment.slack_webhook_secret_arn, slack_dead_letters)
        alarm_specs = [
            *drift_alarm_specs(environment, self.drift_monitor, self.drift_dead_letters),
            *traffic_alarm_specs(environment, self.traffic_counter, self.traffic_dead_letters),
            *storage_alarm_specs(environment, data.database),
            *function_alarm_specs(data, serving.releases),
            *notification_alarm_specs(data.alert_topic, slack_dead_letters),
        ]
        self.alarms = add_alarms(self, data.alert_topic, alarm_specs)
        dashboard = Dashboard(
            self,
            "Dashboard",
            environment=environment,
            data=data,
            serving=serving,
            alarms=[*serving.alarms, *self.alarms],
        )
        self._add_budget()
        cdk.CfnOutput(self, "DashboardName", value=dashboard.page.dashboard_name)
        cdk.CfnOutput(self, "DriftMonitorFunction", value=self.drift_monitor.function_name)

    def _drift_monitor(self, state_machine: sfn.IStateMachine) -> lambda_.Function:
        environment, bucket = self.environment_settings, self.data.artifacts
        retrain = environment.on_drift == "retrain"
        function = image_function(
            self,
            "DriftMonitor",
            folder="drift_monitor",
            environment=environment,
            settings={
                "MODEL_DIR": MODEL_DIR,
                "ALERT_TOPIC_ARN": self.data.alert_topic.topic_arn,
                "REPORT_BUCKET": bucket.bucket_name,
                "ON_DRIFT": environment.on_drift,
                "RUNBOOK_URL": runbook(self),
                **({"STATE_MACHINE_ARN": state_machine.state_machine_arn} if retrain else {}),
                # Links go through `reports` if it needs no token; otherwise they are presigned and expire.
                **({} if environment.authorize else {"REPORTS_URL": self.serving.http_api.api_endpoint}),
            },
            config=DRIFT_MONITOR,
            database=self.data.database_access("drift_monitor"),
            retry_attempts=1,
            dead_letter_queue=self.drift_dead_letters,
        )
        presigning = ["s3:GetObject"] if environment.authorize else []
        self.data.allow_objects(function, "reports", "s3:PutObject", *presigning)
        self.data.allow_alerts(function)
        if retrain:
            self.data.allow_objects(function, "training/feedback", "s3:PutObject")
            actions = ("states:ListExecutions", "states:StartExecution")
            allow(function, *actions, on=[state_machine.state_machine_arn])
        return function

    def _traffic_counter(self) -> lambda_.Function:
        function = zip_function(
            self,
            "TrafficCounter",
            folder="traffic_counter",
            environment=self.environment_settings,
            settings={
                "HTTP_API_ID": self.serving.http_api.api_id,
                "API_FUNCTION_NAME": self.serving.api.function_name,
                "QUEUE_URL": self.serving.queue.queue_url,
            },
            config=TRAFFIC_COUNTER,
            retry_attempts=2,
            dead_letter_queue=self.traffic_dead_letters,
        )
        allow(function, "cloudwatch:GetMetricData", on=["*"])
        allow(function, "sqs:SendMessage", on=[self.serving.queue.queue_arn])
        return function

    def _add_schedules(self) -> None:
        """Schedule drift runs, traffic counts, and the reconciliation once a day's counts are complete."""
        drift_hours = cdk.Duration.hours(self.environment_settings.drift_every_hours)
        schedules = Schedules(self, "Schedules")
        schedules.add(
            "Drift",
            self.drift_monitor,
            scheduler.ScheduleExpression.rate(drift_hours),
            description="Detects drift",
            dead_letter_queue=self.drift_dead_letters,
            max_age=drift_hours,
        )
        schedules.add(
            "Reconciliation",
            self.drift_monitor,
            scheduler.ScheduleExpression.cron(hour="2", minute="30"),
            description="Compares answered with stored predictions",
            dead_letter_queue=self.drift_dead_letters,
            max_age=HOUR,
            action="reconcile",
        )
        schedules.add(
            "Traffic",
            self.traffic_counter,
            scheduler.ScheduleExpression.rate(HOUR),
            description="Counts requests and predictions",
            dead_letter_queue=self.traffic_dead_letters,
            max_age=HOUR,
        )

    def _add_slack(self, secret_arn: str, dead_letters: sqs.Queue) -> None:
        """Subscribe the notifier; undelivered and failed notifications go to the same dead-letter queue."""
        notifier = zip_function(
            self,
            "SlackNotifier",
            folder="slack_notifier",
            environment=self.environment_settings,
            settings={"SLACK_WEBHOOK_SECRET_ARN": secret_arn},
            config=SLACK_NOTIFIER,
            retry_attempts=2,
            dead_letter_queue=dead_letters,
        )
        action = "ssm:GetParameter" if ":ssm:" in secret_arn else "secretsmanager:GetSecretValue"
        allow(notifier, action, on=[secret_arn])
        self.data.alert_topic.add_subscription(
            subscriptions.LambdaSubscription(notifier, dead_letter_queue=dead_letters)
        )

    def _add_budget(self) -> None:
        """Add a budget for the whole account: one by tag stays empty until the tag is activated."""
        environment = self.environment_settings
        subscribers = [
            budgets.CfnBudget.SubscriberProperty(
                subscription_type="SNS", address=self.data.alert_topic.topic_arn
            ),
            *(
                budgets.CfnBudget.SubscriberProperty(subscription_type="EMAIL", address=address)
                for address in environment.alert_emails[:10]  # AWS allows no more
            ),
        ]
        budgets.CfnBudget(
            self,
            "Budget",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(
                    amount=environment.monthly_budget_dollars, unit="USD"
                ),
            ),
            notifications_with_subscribers=[
                budgets.CfnBudget.NotificationWithSubscribersProperty(
                    notification=budgets.CfnBudget.NotificationProperty(
                        notification_type=kind,
                        comparison_operator="GREATER_THAN",
                        threshold=percent,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=subscribers,
                )
                for kind, percent in (("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100))
            ],
        )
