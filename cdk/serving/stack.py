"""From a request to a row: the HTTP API, the function that predicts, the queue, the function that stores.

How traffic moves to a new version is releases.py.
"""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_applicationautoscaling as scaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_secretsmanager as secrets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.acknowledgments import acknowledge
from cdk.alarms import alarm, each_minute
from cdk.data.stack import DataStack
from cdk.delivery import MAX_RECEIVES
from cdk.environments import Environment
from cdk.functions import API_TIMEOUT_SECONDS, LIVE_ALIAS, LOG_WRITER, REPORTS, Size
from cdk.packaging import image_function, zip_function
from cdk.serving.gateway import Gateway
from cdk.serving.identity import Identity
from cdk.serving.releases import Releases

MODEL_DIR = "/var/task/model"  # where functions/Dockerfile puts the artifact


class ServingStack(cdk.Stack):
    """API, queue, writer and reports, and the alarms on them."""

    def __init__(
        self, scope: Construct, id: str, *, environment: Environment, data: DataStack, **stack: Any
    ) -> None:
        super().__init__(scope, id, **stack)
        self.environment_settings = environment
        self.data = data
        self.dead_letter_queue = self._queue("DeadLetters", retention_period=cdk.Duration.days(14))
        self.queue = self._queue(
            "Facts",
            # AWS's advice for Lambda: six times the consumer's timeout, and the batching window.
            visibility_timeout=cdk.Duration.seconds(
                6 * LOG_WRITER.timeout_seconds + environment.writer_window_seconds
            ),
            retention_period=cdk.Duration.days(14),  # how long Postgres may be away
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=self.dead_letter_queue, max_receive_count=MAX_RECEIVES
            ),
        )
        self.api = self._api()
        self.live = self._live()
        self.log_writer = self._log_writer()
        self.reports = self._reader(
            "Reports",
            "reports",
            REPORTS,
            settings={"REPORT_BUCKET": data.artifacts.bucket_name},
            reserved_concurrent_executions=environment.reports_concurrency,
        )
        # Its links to the drift monitor's pages open what it may read itself.
        data.allow_objects(self.reports, "reports", "s3:GetObject")
        identity = Identity(self, "Identity", environment=environment) if environment.authorize else None
        self.identity = identity
        gateway = Gateway(
            self,
            "Gateway",
            environment=environment,
            functions={"api": self.live, "reports": self.reports},
            identity=identity,
        )
        self.http_api = gateway.api
        self.releases = releases = Releases(
            self,
            "Releases",
            environment=environment,
            api=self.api,
            live=self.live,
            server_errors=gateway.api.metric_server_error(),
            queue=self.queue,
            dead_letter_queue=self.dead_letter_queue,
            registrar=data.registrar,
            topic=data.alert_topic,
        )
        self.alarms = [*releases.alarms, *self._alarms()]
        self._outputs(identity, releases)

    def _queue(self, id: str, **extra: Any) -> sqs.Queue:
        """Make a queue under SQS's own key: a lost key of ours must not close queue and bucket together."""
        return sqs.Queue(self, id, encryption=sqs.QueueEncryption.SQS_MANAGED, enforce_ssl=True, **extra)

    def _api(self) -> lambda_.DockerImageFunction:
        environment, bucket = self.environment_settings, self.data.artifacts
        hash_key = (
            None
            if environment.privacy_mode == "full"
            else secrets.Secret(
                self,
                "InputHashKey",
                description="HMAC key of input_hash; a new one makes equal texts look different from before",
                encryption_key=self.data.key,
                generate_secret_string=secrets.SecretStringGenerator(
                    password_length=64, exclude_punctuation=True
                ),
            )
        )
        function = image_function(
            self,
            "Api",
            folder="api",
            environment=environment,
            settings={
                "MODEL_DIR": MODEL_DIR,
                "QUEUE_URL": self.queue.queue_url,
                "UNSENT_BUCKET": bucket.bucket_name,
                "PRIVACY_MODE": environment.privacy_mode,
                **({"INPUT_HASH_KEY_SECRET_ARN": hash_key.secret_arn} if hash_key else {}),
            },
            memory_mb=environment.api_memory_mb,
            timeout_seconds=API_TIMEOUT_SECONDS,
            reserved_concurrent_executions=environment.api_concurrency,
            # CloudFormation would delete a version once the next one is released, and with it the way back.
            current_version_options=lambda_.VersionOptions(removal_policy=cdk.RemovalPolicy.RETAIN),
            snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS
            if environment.start == "snapstart"
            else None,
        )
        acknowledge(
            function,
            {"Annotation::@aws-cdk/aws-lambda:snapStartRequirePublish": "`live` is a published version."},
        )
        self.queue.grant(function, "sqs:SendMessage", "sqs:GetQueueAttributes")
        self.data.allow_objects(function, "unsent", "s3:PutObject")
        # /health asks whether the bucket is there, which takes the right to list it.
        function.add_to_role_policy(
            iam.PolicyStatement(actions=["s3:ListBucket"], resources=[bucket.bucket_arn])
        )
        if hash_key:
            # Not by grant_read, which would have the key of the data stack name a role of this one.
            for action, resource in (
                ("secretsmanager:GetSecretValue", hash_key.secret_arn),
                ("kms:Decrypt", self.data.key.key_arn),
            ):
                function.add_to_role_policy(iam.PolicyStatement(actions=[action], resources=[resource]))
        return function

    def _live(self) -> lambda_.Alias:
        """Point `live` at the current version; instances are kept ready where the environment pays for it."""
        environment = self.environment_settings
        keep_ready = environment.start == "provisioned"
        hours = environment.provisioned_hours
        count = environment.provisioned_instances
        live = lambda_.Alias(
            self,
            "Live",
            alias_name=LIVE_ALIAS,
            version=self.api.current_version,
            provisioned_concurrent_executions=count if keep_ready and not hours else None,
        )
        if keep_ready and hours:
            target = live.add_auto_scaling(min_capacity=0, max_capacity=count)
            for id, hour, ready in (("Morning", hours[0], count), ("Evening", hours[1], 0)):
                target.scale_on_schedule(
                    id,
                    schedule=scaling.Schedule.cron(hour=str(hour), minute="0"),
                    min_capacity=ready,
                    max_capacity=ready,
                )
        return live

    def _log_writer(self) -> lambda_.Function:
        environment = self.environment_settings
        function = self._reader("LogWriter", "log_writer", LOG_WRITER)
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

    def _reader(
        self,
        id: str,
        folder: str,
        size: Size,
        *,
        settings: dict[str, str] | None = None,
        **extra: Any,
    ) -> lambda_.Function:
        """Make a function that needs Postgres before all, and logs in under its folder's name."""
        return zip_function(
            self,
            id,
            folder=folder,
            environment=self.environment_settings,
            settings=settings or {},
            **size._asdict(),
            database=self.data.database_access(folder),
            **extra,
        )

    def _alarms(self) -> list[cloudwatch.Alarm]:
        """Watch what a release of the API cannot break, so that it rolls nothing back."""
        topic = self.data.alert_topic
        return [
            alarm(
                self,
                "DeadLettersAlarm",
                metric=each_minute(
                    self.dead_letter_queue.metric_approximate_number_of_messages_visible(), "Maximum"
                ),
                threshold=1,
                what="Facts that the writer could not store wait in the dead-letter queue.",
                anchor="dead-letters",
                topic=topic,
            ),
            alarm(
                self,
                "WriterErrorsAlarm",
                metric=each_minute(self.log_writer.metric_errors(), "Sum"),
                threshold=1,
                periods=5,
                what="The log writer has failed for five minutes; facts pile up in the queue.",
                anchor="writer-errors",
                topic=topic,
            ),
            alarm(
                self,
                "ReportsErrorsAlarm",
                metric=each_minute(self.reports.metric_errors(), "Sum"),
                threshold=1,
                periods=3,
                what="The reports function fails.",
                anchor="reports-errors",
                topic=topic,
            ),
        ]

    def _outputs(self, identity: Identity | None, releases: Releases) -> None:
        outputs = {
            "ApiUrl": self.http_api.api_endpoint,
            "ApiFunction": self.api.function_name,
            "QueueUrl": self.queue.queue_url,
            "DeadLetterQueueUrl": self.dead_letter_queue.queue_url,
            "ReleaseApplication": releases.group.application.application_name,
            "ReleaseGroup": releases.group.deployment_group_name,
        }
        if identity:
            outputs |= {
                "TokenUrl": identity.token_url,
                "ClientId": identity.client.user_pool_client_id,
                "UserPoolId": identity.user_pool.user_pool_id,
            }
        for name, value in outputs.items():
            cdk.CfnOutput(self, name, value=value)
