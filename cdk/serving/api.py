"""The `api` function with its alias `live`: what it may do, and how its instances start."""

import aws_cdk as cdk
from aws_cdk import aws_applicationautoscaling as scaling
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secrets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.acknowledgments import acknowledge
from cdk.data.stack import DataStack
from cdk.environments import Environment
from cdk.function_config import API_TIMEOUT_SECONDS, LIVE_ALIAS, FunctionConfig
from cdk.packaging import image_function
from cdk.permissions import allow

MODEL_DIR = "/var/task/model"  # where functions/Dockerfile puts the artifact


class Api(Construct):
    """The function, which writes to the queue and under `unsent/`, and nowhere else."""

    def __init__(
        self, scope: Construct, id: str, *, environment: Environment, data: DataStack, queue: sqs.Queue
    ) -> None:
        super().__init__(scope, id)
        hash_key = None if environment.privacy_mode == "full" else self._hash_key(data)
        self.function = image_function(
            self,
            "Function",
            folder="api",
            environment=environment,
            settings={
                "MODEL_DIR": MODEL_DIR,
                "QUEUE_URL": queue.queue_url,
                "UNSENT_BUCKET": data.artifacts.bucket_name,
                "PRIVACY_MODE": environment.privacy_mode,
                **({"INPUT_HASH_KEY_SECRET_ARN": hash_key.secret_arn} if hash_key else {}),
            },
            config=FunctionConfig(environment.api_memory_mb, API_TIMEOUT_SECONDS),
            reserved_concurrent_executions=environment.api_concurrency,
            # Otherwise CloudFormation deletes a version once the next is released: no rollback would find it.
            current_version_options=lambda_.VersionOptions(removal_policy=cdk.RemovalPolicy.RETAIN),
            snap_start=(
                lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if environment.start == "snapstart" else None
            ),
        )
        acknowledge(
            self.function,
            {"Annotation::@aws-cdk/aws-lambda:snapStartRequirePublish": "`live` is a published version."},
        )
        queue.grant(self.function, "sqs:SendMessage", "sqs:GetQueueAttributes")
        data.allow_objects(self.function, "unsent", "s3:PutObject")
        allow(self.function, "s3:ListBucket", on=[data.artifacts.bucket_arn])  # for /health
        if hash_key:
            # Not with grant_read, which would name a role of this stack in the data stack's key policy.
            allow(self.function, "secretsmanager:GetSecretValue", on=[hash_key.secret_arn])
            allow(self.function, "kms:Decrypt", on=[data.key.key_arn])
        self.live = self._live_alias(environment)

    def _hash_key(self, data: DataStack) -> secrets.Secret:
        return secrets.Secret(
            self,
            "InputHashKey",
            description="HMAC key of input_hash; after a change, equal texts have different hashes",
            encryption_key=data.key,
            generate_secret_string=secrets.SecretStringGenerator(
                password_length=64, exclude_punctuation=True
            ),
        )

    def _live_alias(self, environment: Environment) -> lambda_.Alias:
        """Point `live` at the current version, with provisioned instances where the environment has them."""
        provisioned = environment.start == "provisioned"
        hours = environment.provisioned_hours
        count = environment.provisioned_instances
        live = lambda_.Alias(
            self,
            "Live",
            alias_name=LIVE_ALIAS,
            version=self.function.current_version,
            provisioned_concurrent_executions=count if provisioned and not hours else None,
        )
        if provisioned and hours:
            target = live.add_auto_scaling(min_capacity=0, max_capacity=count)
            for id, hour, capacity in (("Morning", hours[0], count), ("Evening", hours[1], 0)):
                target.scale_on_schedule(
                    id,
                    schedule=scaling.Schedule.cron(hour=str(hour), minute="0"),
                    min_capacity=capacity,
                    max_capacity=capacity,
                )
        return live
