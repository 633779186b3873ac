"""Who watches and who is told: drift monitor, traffic counter, alarms, dashboard, budget, mail and Slack.

The alarms on serving's releases are releases.py; here are those on which no release rolls back.
"""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from cdk.alarms import alarm, runbook
from cdk.data.stack import DataStack
from cdk.environments import Environment
from cdk.functions import DRIFT_MONITOR, SLACK_NOTIFIER
from cdk.monitoring.alarm_specs import (
    delivery_alarm_specs,
    drift_alarm_specs,
    function_alarm_specs,
    storage_alarm_specs,
    traffic_alarm_specs,
)
from cdk.monitoring.dashboard import Dashboard
from cdk.packaging import image_function, zip_function
from cdk.queues import dead_letter_queue
from cdk.schedules import Schedules
from cdk.serving.stack import MODEL_DIR, ServingStack


class MonitoringStack(cdk.Stack):
    """Drift monitor, traffic counter, alarms, dashboard, budget and the ways to people."""

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
        self.not_run = dead_letter_queue(self, "DriftNotRun")
        self.not_counted = dead_letter_queue(self, "TrafficNotCounted")
        self.drift_monitor = self._drift_monitor(state_machine)
        self.traffic_counter = self._traffic_counter()
        self._schedule()
        for address in environment.alert_emails:
            data.alert_topic.add_subscription(subscriptions.EmailSubscription(address))
        self.not_told: sqs.Queue | None = None
        if environment.slack_webhook_secret_arn:
            self.not_told = dead_letter_queue(self, "NotTold")
            self._slack(environment.slack_webhook_secret_arn, self.not_told)
        alarm_specs = [
            *drift_alarm_specs(environment, self.drift_monitor, self.not_run),
            *traffic_alarm_specs(environment, self.traffic_counter, self.not_counted),
            *storage_alarm_specs(environment, data.database),
            *function_alarm_specs(data, serving.releases),
            *delivery_alarm_specs(data.alert_topic, self.not_told),
        ]
        self.alarms = [alarm(self, topic=data.alert_topic, **watch._asdict()) for watch in alarm_specs]
        dashboard = Dashboard(
            self,
            "Dashboard",
            environment=environment,
            data=data,
            serving=serving,
            alarms=[*serving.alarms, *self.alarms],
        )
        self._budget()
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
                # Where a browser gets in, links lead through reports; elsewhere they are signed, for a while.
                **({} if environment.authorize else {"REPORTS_URL": self.serving.http_api.api_endpoint}),
            },
            **DRIFT_MONITOR._asdict(),
            database=self.data.database_access("drift_monitor"),
            retry_attempts=1,
            dead_letter_queue=self.not_run,
        )
        signed = ["s3:GetObject"] if environment.authorize else []
        self.data.allow_objects(function, "reports", "s3:PutObject", *signed)
        self.data.allow_alerts(function)
        if retrain:
            self.data.allow_objects(function, "training/feedback", "s3:PutObject")
            actions = ["states:ListExecutions", "states:StartExecution"]
            function.add_to_role_policy(
                iam.PolicyStatement(actions=actions, resources=[state_machine.state_machine_arn])
            )
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
            memory_mb=256,
            timeout_seconds=120,
            retry_attempts=2,
            dead_letter_queue=self.not_counted,
        )
        for action, resource in (
            ("cloudwatch:GetMetricData", "*"),
            ("sqs:SendMessage", self.serving.queue.queue_arn),
        ):
            function.add_to_role_policy(iam.PolicyStatement(actions=[action], resources=[resource]))
        return function

    def _schedule(self) -> None:
        """Look for drift and count traffic from the deployment on; compare once the day's counts are in."""
        hour = cdk.Duration.hours(1)
        drift_hours = cdk.Duration.hours(self.environment_settings.drift_every_hours)
        schedules = Schedules(self, "Schedules")
        schedules.add(
            "Drift",
            self.drift_monitor,
            scheduler.ScheduleExpression.rate(drift_hours),
            what="Looks for drift",
            not_run=self.not_run,
            within=drift_hours,
        )
        schedules.add(
            "Reconciliation",
            self.drift_monitor,
            scheduler.ScheduleExpression.cron(hour="2", minute="30"),
            what="Compares what was answered with what is stored",
            not_run=self.not_run,
            within=hour,
            action="reconcile",
        )
        schedules.add(
            "Traffic",
            self.traffic_counter,
            scheduler.ScheduleExpression.rate(hour),
            what="Counts what the API answered",
            not_run=self.not_counted,
            within=hour,
        )

    def _slack(self, secret_arn: str, queue: sqs.Queue) -> None:
        """Subscribe the notifier; what SNS cannot hand over and what it fails on end in the same queue."""
        notifier = zip_function(
            self,
            "SlackNotifier",
            folder="slack_notifier",
            environment=self.environment_settings,
            settings={"SLACK_WEBHOOK_SECRET_ARN": secret_arn},
            **SLACK_NOTIFIER._asdict(),
            retry_attempts=2,
            dead_letter_queue=queue,
        )
        action = "ssm:GetParameter" if ":ssm:" in secret_arn else "secretsmanager:GetSecretValue"
        notifier.add_to_role_policy(iam.PolicyStatement(actions=[action], resources=[secret_arn]))
        self.data.alert_topic.add_subscription(
            subscriptions.LambdaSubscription(notifier, dead_letter_queue=queue)
        )

    def _budget(self) -> None:
        """Watch the whole account's bill: a budget by tag sees nothing until somebody activates the tag."""
        environment = self.environment_settings
        subscribers = [
            budgets.CfnBudget.SubscriberProperty(
                subscription_type="SNS", address=self.data.alert_topic.topic_arn
            ),
            *(
                budgets.CfnBudget.SubscriberProperty(subscription_type="EMAIL", address=address)
                for address in environment.alert_emails[:10]  # as many as AWS takes
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
