"""What holds data and what it takes to reach it: Postgres, artifacts, alerts, and the schema's keeper.

Everything here outlives the other stacks, which use it and are never used by it.
"""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import triggers
from constructs import Construct

from cdk.acknowledgments import acknowledge, acknowledge_wildcards, exported
from cdk.data.database import ADMIN, DATABASE, make_database
from cdk.data.network import Network
from cdk.environments import Environment
from cdk.functions import MIGRATIONS
from cdk.packaging import DatabaseAccess, log_group, removal_policy, zip_function


class DataStack(cdk.Stack):
    """Network, database, bucket, alert topic, and the functions that keep the schema and the registry."""

    def __init__(self, scope: Construct, id: str, *, environment: Environment, **stack: Any) -> None:
        super().__init__(scope, id, **stack)
        self.environment_settings = environment
        self.key = kms.Key(
            self,
            "Key",
            description=f"Data at rest of sentiment in {environment.name}",
            enable_key_rotation=True,
            removal_policy=removal_policy(environment),
        )
        network = Network(
            self, "Network", environment=environment, log=log_group(self, "NetworkLog", environment)
        )
        self.network = network
        self.vpc = network.vpc
        self.client_security_group = network.clients
        self.alert_topic = self._topic()
        self.access_logs = self._access_logs()
        self.artifacts = self._bucket()
        self.database = make_database(self, "Database", environment=environment, vpc=self.vpc, key=self.key)
        self.database.connections.allow_default_port_from(self.client_security_group)
        self.migrations = self._migrations()
        self.registrar = self._registrar()
        self._migrate()
        outputs = {
            "AlertTopic": self.alert_topic.topic_arn,
            "ArtifactBucket": self.artifacts.bucket_name,
            "MigrationsFunction": self.migrations.function_name,
            "RegistrarFunction": self.registrar.function_name,
        }
        for name, value in outputs.items():
            cdk.CfnOutput(self, name, value=value)

    def database_access(self, user: str | None = None) -> DatabaseAccess:
        """Return what puts a function beside Postgres, with an IAM login when it logs in as somebody."""
        place = {
            "DATABASE_HOST": self.database.db_instance_endpoint_address,
            "DATABASE_PORT": self.database.db_instance_endpoint_port,
            "DATABASE_NAME": DATABASE,
        }
        return DatabaseAccess(
            vpc=self.vpc,
            security_group=self.client_security_group,
            settings=place | ({"DATABASE_USER": user, "DATABASE_AUTH": "iam"} if user else {}),
            instance=self.database,
            user=user,
        )

    def allow_alerts(self, function: lambda_.Function) -> None:
        """Let a function publish to the alert topic."""
        self._allow(function, "sns:Publish", on=self.alert_topic.topic_arn)
        self._allow(function, "kms:Decrypt", "kms:GenerateDataKey", on=self.key.key_arn)

    def allow_objects(self, function: lambda_.Function, prefix: str, *actions: str) -> None:
        """Let a function do this (`s3:GetObject`, `s3:PutObject`) to objects under a prefix of the bucket."""
        objects = self.artifacts.arn_for_objects(f"{prefix}/*")
        self._allow(function, *actions, on=objects)
        uses_of_key = ["kms:Decrypt", *(["kms:GenerateDataKey"] if "s3:PutObject" in actions else [])]
        self._allow(function, *uses_of_key, on=self.key.key_arn)
        bucket = self.artifacts.bucket_arn
        named = bucket if cdk.Stack.of(function) is self else exported(self, bucket)
        role = function.role
        assert role is not None  # noqa: S101
        acknowledge_wildcards(
            role, {f"{named}/{prefix}/*": "Objects are named as they come; the prefix has one purpose."}
        )

    @staticmethod
    def _allow(function: lambda_.Function, *actions: str, on: str) -> None:
        function.add_to_role_policy(iam.PolicyStatement(actions=list(actions), resources=[on]))

    def _topic(self) -> sns.Topic:
        topic = sns.Topic(self, "Alerts", master_key=self.key, enforce_ssl=True)
        for service in ("cloudwatch", "budgets"):
            principal = iam.ServicePrincipal(
                f"{service}.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": self.account}}
            )
            topic.grant_publish(principal)
        return topic

    def _access_logs(self) -> s3.Bucket:
        """Make the bucket that says who read the others; S3 delivers such logs to its own keys only."""
        return s3.Bucket(
            self,
            "AccessLogs",
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_PREFERRED,
            lifecycle_rules=[s3.LifecycleRule(expiration=cdk.Duration.days(90))],
            **self._removal(),
        )

    def _bucket(self) -> s3.Bucket:
        """Make the bucket of artifacts, training outputs, reports, and records that the queue refused."""
        return s3.Bucket(
            self,
            "Artifacts",
            versioned=True,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=self.key,
            bucket_key_enabled=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
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
            **self._removal(),
        )

    def _removal(self) -> dict[str, Any]:
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
            **MIGRATIONS._asdict(),
            database=self.database_access(),
        )
        secret.grant_read(function)
        self.allow_alerts(function)
        events.Rule(
            self,
            "Daily",
            schedule=events.Schedule.cron(hour="3", minute="17"),
            targets=[targets.LambdaFunction(function, retry_attempts=3)],
        )
        return function

    def _migrate(self) -> None:
        """Migrate whenever the function or its layer changed, before anything that needs the schema.

        The other stacks come after this one, so only the registrar must be told to wait.
        """
        acknowledge(
            self.migrations,
            {
                "Annotation::@aws-cdk/aws-lambda:addPermissionsToVersionOrAlias": "EventBridge calls the "
                "function and the trigger a version; each is allowed what it calls."
            },
        )
        triggers.Trigger(
            self,
            "Migrate",
            handler=self.migrations,
            timeout=cdk.Duration.seconds(MIGRATIONS.timeout_seconds),
            # Every rule of the way there, or the first call waits for a packet that is still refused.
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
            memory_mb=1024,
            timeout_seconds=300,
            database=self.database_access("registrar"),
            ephemeral_storage_size=cdk.Size.gibibytes(2),
        )
        self.allow_objects(function, "training", "s3:GetObject")
        self.allow_objects(function, "models", "s3:GetObject", "s3:PutObject")
        function.add_to_role_policy(
            iam.PolicyStatement(
                actions=["s3:ListBucket"],
                resources=[self.artifacts.bucket_arn],
                conditions={"StringLike": {"s3:prefix": ["training/*", "models/*"]}},
            )
        )
        self.allow_alerts(function)
        return function
