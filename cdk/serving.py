"""From a request to a row: the HTTP API, the function that predicts, the queue, the function that stores."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from constructs import Construct

from cdk.data import DataStack
from cdk.environments import Environment
from cdk.packaging import image_function, zip_function


class ServingStack(cdk.Stack):
    """API, queue, writer and reports."""

    def __init__(
        self, scope: Construct, id: str, *, environment: Environment, data: DataStack, **stack: Any
    ) -> None:
        super().__init__(scope, id, **stack)
        self.alarms: list[cloudwatch.Alarm] = []
        self.user_pool: cognito.UserPool | None = None
        self.dead_letter_queue = sqs.Queue(
            self,
            "Dead",
            enforce_ssl=True,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            retention_period=cdk.Duration.days(14),
        )
        self.queue = sqs.Queue(
            self,
            "Facts",
            enforce_ssl=True,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            visibility_timeout=cdk.Duration.seconds(180),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letter_queue, max_receive_count=5),
        )
        self.api = image_function(
            self,
            "Api",
            folder="api",
            environment=environment,
            settings={
                "MODEL_DIR": "/var/task/model",
                "QUEUE_URL": self.queue.queue_url,
                "UNSENT_BUCKET": data.artefacts.bucket_name,
                "PRIVACY_MODE": environment.privacy_mode,
            },
            memory_mb=environment.api_memory_mb,
            timeout_seconds=29,
        )
        self.queue.grant_send_messages(self.api)
        data.artefacts.grant_put(self.api, "unsent/*")
        self.live = lambda_.Alias(self, "Live", alias_name="live", version=self.api.current_version)
        self.log_writer = zip_function(
            self,
            "LogWriter",
            folder="log_writer",
            environment=environment,
            settings={},
            memory_mb=512,
            timeout_seconds=30,
            data=data,
            user="log_writer",
        )
        self.log_writer.add_event_source(
            sources.SqsEventSource(
                self.queue,
                batch_size=environment.writer_batch,
                max_batching_window=cdk.Duration.seconds(environment.writer_window_seconds),
                max_concurrency=environment.writer_concurrency,
                report_batch_item_failures=True,
            )
        )
        self.reports = zip_function(
            self,
            "Reports",
            folder="reports",
            environment=environment,
            settings={},
            memory_mb=512,
            timeout_seconds=29,
            data=data,
            user="reports",
        )
        self.http_api = apigateway.HttpApi(self, "HttpApi")
        self.http_api.add_routes(path="/{proxy+}", integration=HttpLambdaIntegration("ToApi", self.live))
        self.http_api.add_routes(
            path="/reports/{proxy+}", integration=HttpLambdaIntegration("ToReports", self.reports)
        )
