"""The data stack: network, Postgres, artifact bucket, alert topic, `migrations` and `registrar`.

It outlives the other stacks; they depend on it, and it depends on none.
"""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import triggers
from constructs import Construct

from cdk.acknowledgments import acknowledge, acknowledge_wildcards, exported
from cdk.buckets import private_bucket
from cdk.data.database import ADMIN, DATABASE, make_database
from cdk.data.network import Network
from cdk.database_access import DatabaseAccess
from cdk.environments import Environment
from cdk.function_config import MIGRATIONS, REGISTRAR
from cdk.packaging import zip_function
from cdk.permissions import allow, service_principal
from cdk.retention import log_group, removal_policy


class DataStack(cdk.Stack):
    """Network, database, bucket, alert topic, `migrations` and `registrar`."""

    def __init__(self, scope: Construct, id: str, *, environment: Environment, **stack: Any) -> None:
        super().__init__(scope, id, **stack)
        self.environment_settings = environment
        self.key = kms.Key(
            self,
            "Key",
            description=f"Encrypts the data of Serverless Sentiment, {environment.name}",
            enable_key_rotation=True,
            removal_policy=removal_policy(environment),
        )
        self.network = Network(
            self, "Network", environment=environment, log=log_group(self, "NetworkLog", environment)
        )
        self.vpc = self.network.vpc
        self.client_security_group = self.network.clients
        self.alert_topic = self._alert_topic()
        self.access_logs = self._access_logs()
        self.artifacts = self._artifact_bucket()
        self.database = make_database(self, "Database", environment=environment, vpc=self.vpc, key=self.key)
        self.database.connections.allow_default_port_from(self.client_security_group)
        self.migrations = self._migrations()
        self.registrar = self._registrar()
        self._run_migrations()
        outputs = {
            "AlertTopic": self.alert_topic.topic_arn,
            "ArtifactBucket": self.artifacts.bucket_name,
            "MigrationsFunction": self.migrations.function_name,
            "RegistrarFunction": self.registrar.function_name,
        }
        for name, value in outputs.items():
            cdk.CfnOutput(self, name, value=value)

    def database_access(self, user: str | None = None) -> DatabaseAccess:
        """Return what a function needs to reach Postgres, with an IAM login if there is a user."""
        endpoint = {
            "DATABASE_HOST": self.database.db_instance_endpoint_address,
            "DATABASE_PORT": self.database.db_instance_endpoint_port,
            "DATABASE_NAME": DATABASE,
        }
        return DatabaseAccess(
            vpc=self.vpc,
            security_group=self.client_security_group,
            settings=endpoint | ({"DATABASE_USER": user, "DATABASE_AUTH": "iam"} if user else {}),
            instance=self.database,
            user=user,
        )

    def allow_alerts(self, function: lambda_.Function) -> None:
        """Let a function publish to the alert topic."""
        allow(function, "sns:Publish", on=[self.alert_topic.topic_arn])
        allow(function, "kms:Decrypt", "kms:GenerateDataKey", on=[self.key.key_arn])

    def allow_objects(self, function: lambda_.Function, prefix: str, *actions: str) -> None:
        """Allow a function these actions (`s3:GetObject`, `s3:PutObject`) on objects under a prefix."""
        allow(function, *actions, on=[self.artifacts.arn_for_objects(f"{prefix}/*")])
        key_actions = ["kms:Decrypt", *(["kms:GenerateDataKey"] if "s3:PutObject" in actions else [])]
        allow(function, *key_actions, on=[self.key.key_arn])
        bucket = self.artifacts.bucket_arn
        bucket_arn = bucket if cdk.Stack.of(function) is self else exported(self, bucket)
        acknowledge_wildcards(
            function,
            {f"{bucket_arn}/{prefix}/*": "Object names are not known in advance; a prefix has one purpose."},
        )

    def _alert_topic(self) -> sns.Topic:
        topic = sns.Topic(self, "Alerts", master_key=self.key, enforce_ssl=True)
        for service in ("cloudwatch", "budgets"):
            topic.grant_publish(service_principal(self, service))
        return topic

    def _access_logs(self) -> s3.Bucket:
        """Make the bucket for access logs; S3 delivers them only under its own key."""
        return private_bucket(
            self,
            "AccessLogs",
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_PREFERRED,
            lifecycle_rules=[s3.LifecycleRule(expiration=cdk.Duration.days(90))],
            **self._removal_options(),
        )

    def _artifact_bucket(self) -> s3.Bucket:
        """Make the bucket of artifacts, training outputs, reports, and records that SQS refused."""
        return private_bucket(
            self,
            "Artifacts",
            versioned=True,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=self.key,
            bucket_key_enabled=True,
            server_access_logs_bucket=self.access_logs,
            server_access_logs_prefix="artifacts/",
            lifecycle_rules=[
                s3.LifecycleRule(
                    noncurrent_version_expiration=cdk.Duration.days(90),
                    abort_incomplete_multipart_upload_after=cdk.Duration.days(7),
                ),
                s3.LifecycleRule(prefix="training/", expiration=cdk.Duration.days(90)),
                s3.LifecycleRule(prefix="reports/", expiration=cdk.Duration.days(400)),
            ],
            **self._removal_options(),
        )

    def _removal_options(self) -> dict[str, Any]:
        keep = self.environment_settings.keep_data
        return {
            "removal_policy": removal_policy(self.environment_settings),
            **({} if keep else {"auto_delete_objects": True}),
        }

    def _migrations(self) -> lambda_.Function:
        environment = self.environment_settings
        secret = self.database.secret
        if secret is None:
            raise ValueError("the database has no managed master secret")
        function = zip_function(
            self,
            "Migrations",
            folder="migrations",
            environment=environment,
            settings={
                "DATABASE_AUTH": "password",
                "DATABASE_USER": ADMIN,
                "DATABASE_SECRET_ARN": secret.secret_arn,
                "RETENTION_MONTHS": str(environment.retention_months),
                "ALERT_TOPIC_ARN": self.alert_topic.topic_arn,
            },
            config=MIGRATIONS,
            database=self.database_access(),
        )
        secret.grant_read(function)
        self.allow_alerts(function)
        events.Rule(
            self,
            "DailyMaintenance",
            schedule=events.Schedule.cron(hour="3", minute="17"),
            targets=[targets.LambdaFunction(function, retry_attempts=3)],
        )
        return function

    def _run_migrations(self) -> None:
        """Migrate whenever the function or its layer changed, before anything that needs the schema.

        The other stacks are deployed after this one, so only the registrar has to wait.
        """
        acknowledge(
            self.migrations,
            {
                "Annotation::@aws-cdk/aws-lambda:addPermissionsToVersionOrAlias": "EventBridge invokes the "
                "function and the trigger a version; each may invoke what it needs."
            },
        )
        triggers.Trigger(
            self,
            "RunMigrations",
            handler=self.migrations,
            timeout=cdk.Duration.seconds(MIGRATIONS.timeout_seconds),
            # The network's rules too, or the first invocation waits for a packet that is still blocked.
            execute_after=[self.database, self.vpc, self.client_security_group, self.network],
            execute_before=[self.registrar],
        )

    def _registrar(self) -> lambda_.Function:
        function = zip_function(
            self,
            "Registrar",
            folder="registrar",
            environment=self.environment_settings,
            settings={
                "ARTIFACT_BUCKET": self.artifacts.bucket_name,
                "ALERT_TOPIC_ARN": self.alert_topic.topic_arn,
            },
            config=REGISTRAR,
            database=self.database_access("registrar"),
            ephemeral_storage_size=cdk.Size.gibibytes(2),
        )
        self.allow_objects(function, "training", "s3:GetObject")
        self.allow_objects(function, "models", "s3:GetObject", "s3:PutObject")
        allow(
            function,
            "s3:ListBucket",
            on=[self.artifacts.bucket_arn],
            conditions={"StringLike": {"s3:prefix": ["training/*", "models/*"]}},
        )
        self.allow_alerts(function)
        return function
