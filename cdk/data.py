"""What holds data and what it takes to reach it: Postgres, artefacts, alerts, and the schema's keeper.

Everything here outlives the other stacks, which use it and are never used by it.
"""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import triggers
from constructs import Construct

from cdk.acknowledgments import acknowledge, acknowledge_wildcards, exported
from cdk.environments import Environment
from cdk.network import Network
from cdk.packaging import log_group, removal_policy, zip_function

DATABASE = "sentiment"
ADMIN = "administrator"
PORT = 5432
PARAMETERS = {
    "rds.force_ssl": "1",
    "log_min_duration_statement": "1000",
    "log_statement": "ddl",
    # Rows hold what people wrote, and logs must not: neither bound values nor "failing row contains ...".
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
}


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
        self.vpc = network.vpc
        self.client_security_group = network.clients
        self.alert_topic = self._topic()
        self.access_logs = self._access_logs()
        self.artefacts = self._bucket()
        self.database = self._database()
        self.migrations = self._migrations()
        self.registrar = self._registrar()

    def database_settings(self, user: str | None) -> dict[str, str]:
        """Return the DATABASE_* variables of a function, with an IAM login when it logs in as somebody."""
        place = {
            "DATABASE_HOST": self.database.db_instance_endpoint_address,
            "DATABASE_PORT": self.database.db_instance_endpoint_port,
            "DATABASE_NAME": DATABASE,
        }
        return place | ({"DATABASE_USER": user, "DATABASE_AUTH": "iam"} if user else {})

    def connect(self, function: lambda_.Function, user: str) -> None:
        """Let a function of the VPC open connections as this database user, and as no other."""
        self.database.grant_connect(function, user)

    def allow_alerts(self, function: lambda_.Function) -> None:
        """Let a function publish to the alert topic."""
        self._allow(function, "sns:Publish", on=self.alert_topic.topic_arn)
        self._allow(function, "kms:Decrypt", "kms:GenerateDataKey", on=self.key.key_arn)

    def allow_objects(self, function: lambda_.Function, prefix: str, *actions: str) -> None:
        """Let a function do this (`s3:GetObject`, `s3:PutObject`) to objects under a prefix of the bucket."""
        objects = self.artefacts.arn_for_objects(f"{prefix}/*")
        self._allow(function, *actions, on=objects)
        self._allow(function, "kms:Decrypt", "kms:GenerateDataKey", on=self.key.key_arn)
        bucket = self.artefacts.bucket_arn
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
        """Make the bucket of artefacts, training outputs, reports, and records that the queue refused."""
        return s3.Bucket(
            self,
            "Artefacts",
            versioned=True,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=self.key,
            bucket_key_enabled=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            server_access_logs_bucket=self.access_logs,
            server_access_logs_prefix="artefacts/",
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

    def _database(self) -> rds.DatabaseInstance:
        environment = self.environment_settings
        engine = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_18)
        # RDS names its log groups after the instance and would keep them for ever, so both are ours to name.
        name = f"sentiment-{environment.name}"
        exports = ["postgresql", "upgrade"]
        groups = [
            log_group(
                self, f"Database{export.title()}Log", environment, name=f"/aws/rds/instance/{name}/{export}"
            )
            for export in exports
        ]
        database = rds.DatabaseInstance(
            self,
            "Database",
            instance_identifier=name,
            engine=engine,
            instance_type=ec2.InstanceType(environment.database_class),
            vpc=self.vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            database_name=DATABASE,
            credentials=rds.Credentials.from_username(ADMIN),
            manage_master_user_password=True,
            iam_authentication=True,
            ca_certificate=rds.CaCertificate.RDS_CA_RSA2048_G1,
            parameter_group=rds.ParameterGroup(self, "Parameters", engine=engine, parameters=PARAMETERS),
            storage_type=rds.StorageType.GP3,
            allocated_storage=environment.database_storage_gb,
            max_allocated_storage=environment.database_max_storage_gb,
            storage_encrypted=True,
            storage_encryption_key=self.key,
            multi_az=environment.multi_az,
            publicly_accessible=False,
            backup_retention=cdk.Duration.days(environment.backup_days),
            copy_tags_to_snapshot=True,
            deletion_protection=environment.keep_data,
            removal_policy=cdk.RemovalPolicy.SNAPSHOT if environment.keep_data else cdk.RemovalPolicy.DESTROY,
            delete_automated_backups=not environment.keep_data,
            auto_minor_version_upgrade=True,
            enable_performance_insights=True,
            performance_insight_encryption_key=self.key,
            monitoring_interval=cdk.Duration.seconds(60),
            cloudwatch_logs_exports=exports,
        )
        database.node.add_dependency(*groups)
        accepted = {
            "AwsSolutions-RDS11": "Only our own functions reach the port, whatever its number.",
            "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
            "AmazonRDSEnhancedMonitoringRole]": "RDS's own policy: it writes to RDS's own log group alone.",
        }
        if not environment.multi_az:
            accepted["AwsSolutions-RDS3"] = (
                "A zone's outage is an outage here, at half the price; prod has two."
            )
        if not environment.keep_data:
            accepted["AwsSolutions-RDS10"] = (
                "It is made to be destroyed with its stack; prod refuses deletion."
            )
        acknowledge(database, accepted)
        return database

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
            memory_mb=512,
            timeout_seconds=600,
            data=self,
        )
        secret.grant_read(function)
        self.allow_alerts(function)
        triggers.Trigger(
            self,
            "Migrate",
            handler=function,
            timeout=cdk.Duration.seconds(600),
            execute_after=[self.database, self.vpc],
        )
        events.Rule(
            self,
            "Daily",
            schedule=events.Schedule.cron(hour="3", minute="17"),
            targets=[targets.LambdaFunction(function, retry_attempts=3)],
        )
        return function

    def _registrar(self) -> lambda_.Function:
        function = zip_function(
            self,
            "Registrar",
            folder="registrar",
            environment=self.environment_settings,
            settings={
                "ARTEFACT_BUCKET": self.artefacts.bucket_name,
                "ALERT_TOPIC_ARN": self.alert_topic.topic_arn,
            },
            memory_mb=1024,
            timeout_seconds=300,
            data=self,
            user="registrar",
            ephemeral_storage_size=cdk.Size.gibibytes(2),
        )
        self.allow_objects(function, "training", "s3:GetObject")
        self.allow_objects(function, "models", "s3:GetObject", "s3:PutObject")
        function.add_to_role_policy(
            iam.PolicyStatement(
                actions=["s3:ListBucket"],
                resources=[self.artefacts.bucket_arn],
                conditions={"StringLike": {"s3:prefix": ["training/*", "models/*"]}},
            )
        )
        self.allow_alerts(function)
        return function
