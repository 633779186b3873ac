"""The serving stack: the HTTP API, `api`, the queue, `log_writer`, and `reports`.

How traffic shifts to a new version is in releases.py.
"""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.alarms import AlarmSpec, add_alarms
from cdk.data.stack import DataStack
from cdk.environments import Environment
from cdk.function_config import LOG_WRITER, MAX_RECEIVES, REPORTS, FunctionConfig
from cdk.metrics import MINUTE, function_errors, queue_depth
from cdk.packaging import zip_function
from cdk.queues import dead_letter_queue, encrypted_queue
from cdk.serving.api import Api
from cdk.serving.gateway import Gateway
from cdk.serving.identity import Identity
from cdk.serving.releases import Releases


class ServingStack(cdk.Stack):
    """API, queue, log writer and reports, with their alarms."""

    def __init__(
        self, scope: Construct, id: str, *, environment: Environment, data: DataStack, **stack: Any
    ) -> None:
        super().__init__(scope, id, **stack)
        self.environment_settings = environment
        self.data = data
        self.dead_letter_queue = dead_letter_queue(self, "DeadLetterQueue")
        self.queue = encrypted_queue(
            self,
            "Queue",
            # AWS recommends six times the consumer's time-out plus the batching window.
            visibility_timeout=cdk.Duration.seconds(
                6 * LOG_WRITER.timeout_seconds + environment.writer_window_seconds
            ),
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=self.dead_letter_queue, max_receive_count=MAX_RECEIVES
            ),
        )
        api = Api(self, "Api", environment=environment, data=data, queue=self.queue)
        self.api, self.live = api.function, api.live
        self.log_writer = self._log_writer()
        self.reports = self._database_function(
            "Reports",
            "reports",
            REPORTS,
            settings={"REPORT_BUCKET": data.artifacts.bucket_name},
            reserved_concurrent_executions=environment.reports_concurrency,
        )
        # Its presigned links to the drift monitor's pages need its own permission to read them.
        data.allow_objects(self.reports, "reports", "s3:GetObject")
        self.identity = Identity(self, "Identity", environment=environment) if environment.authorize else None
        gateway = Gateway(
            self,
            "Gateway",
            environment=environment,
            functions={"api": self.live, "reports": self.reports},
            identity=self.identity,
        )
        self.http_api = gateway.api
        self.releases = Releases(
            self,
            "Releases",
            environment=environment,
            api=self.api,
            live=self.live,
            server_errors=gateway.api.metric_server_error(),
            queue=self.queue,
            dead_letters=self.dead_letter_queue,
            registrar=data.registrar,
            topic=data.alert_topic,
        )
        self.alarms = [*self.releases.alarms, *add_alarms(self, data.alert_topic, self._alarm_specs())]
        self._add_outputs()

    def _log_writer(self) -> lambda_.Function:
        environment = self.environment_settings
        function = self._database_function("LogWriter", "log_writer", LOG_WRITER)
        function.add_event_source(
            sources.SqsEventSource(
                self.queue,
                batch_size=environment.writer_batch,
                max_batching_window=cdk.Duration.seconds(environment.writer_window_seconds),
                max_concurrency=environment.writer_concurrency,
                report_batch_item_failures=True,
            )
        )
        return function

    def _database_function(
        self,
        id: str,
        folder: str,
        config: FunctionConfig,
        *,
        settings: dict[str, str] | None = None,
        **options: Any,
    ) -> lambda_.Function:
        """Make a function that logs in to Postgres as the user named after its folder."""
        return zip_function(
            self,
            id,
            folder=folder,
            environment=self.environment_settings,
            settings=settings or {},
            config=config,
            database=self.data.database_access(folder),
            **options,
        )

    def _alarm_specs(self) -> list[AlarmSpec]:
        """Return the alarms on what a release of the API cannot break; they roll nothing back."""
        return [
            AlarmSpec(
                "DeadLetters",
                queue_depth(self.dead_letter_queue, MINUTE),
                1,
                "Messages that the log writer could not store are in the dead-letter queue.",
                "dead-letters",
            ),
            AlarmSpec(
                "LogWriterErrors",
                function_errors(self.log_writer, MINUTE),
                1,
                "The log writer has failed for five minutes; messages accumulate in the queue.",
                "writer-errors",
                periods=5,
            ),
            AlarmSpec(
                "ReportsErrors",
                function_errors(self.reports, MINUTE),
                1,
                "The reports function has failed for three minutes.",
                "reports-errors",
                periods=3,
            ),
        ]

    def _add_outputs(self) -> None:
        outputs = {
            "ApiUrl": self.http_api.api_endpoint,
            "ApiFunction": self.api.function_name,
            "QueueUrl": self.queue.queue_url,
            "DeadLetterQueueUrl": self.dead_letter_queue.queue_url,
            "ReleaseApplication": self.releases.group.application.application_name,
            "ReleaseGroup": self.releases.group.deployment_group_name,
        }
        if self.identity:
            outputs |= {
                "TokenUrl": self.identity.token_url,
                "ClientId": self.identity.client.user_pool_client_id,
                "UserPoolId": self.identity.user_pool.user_pool_id,
            }
        for name, value in outputs.items():
            cdk.CfnOutput(self, name, value=value)
