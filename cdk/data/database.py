"""The Postgres instance: encrypted, backed up, TLS only, with IAM logins and no user text in its logs."""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from constructs import Construct

from cdk.acknowledgments import acknowledge
from cdk.environments import Environment
from cdk.retention import log_group, removal_policy

DATABASE = "sentiment"
ADMIN = "administrator"
PARAMETERS = {
    "rds.force_ssl": "1",
    "log_min_duration_statement": "1000",
    "log_statement": "ddl",
    # Rows contain user text and logs must not: no bound values, no "failing row contains ...".
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
}


def make_database(
    scope: Construct, id: str, *, environment: Environment, vpc: ec2.IVpc, key: kms.IKey
) -> rds.DatabaseInstance:
    """Make the instance in the VPC's isolated subnets; RDS stores and rotates the master password."""
    engine = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_18)
    # RDS names its log groups after the instance and would keep them forever, so both are created here.
    name = f"sentiment-{environment.name}"
    exports = ["postgresql", "upgrade"]
    groups = [
        log_group(scope, f"{id}{export.title()}Log", environment, name=f"/aws/rds/instance/{name}/{export}")
        for export in exports
    ]
    database = rds.DatabaseInstance(
        scope,
        id,
        instance_identifier=name,
        engine=engine,
        instance_type=ec2.InstanceType(environment.database_class),
        vpc=vpc,
        vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
        database_name=DATABASE,
        credentials=rds.Credentials.from_username(ADMIN),
        manage_master_user_password=True,
        iam_authentication=True,
        ca_certificate=rds.CaCertificate.RDS_CA_RSA2048_G1,
        parameter_group=rds.ParameterGroup(scope, "Parameters", engine=engine, parameters=PARAMETERS),
        storage_type=rds.StorageType.GP3,
        allocated_storage=environment.database_storage_gb,
        max_allocated_storage=environment.database_max_storage_gb,
        storage_encrypted=True,
        storage_encryption_key=key,
        multi_az=environment.multi_az,
        publicly_accessible=False,
        backup_retention=cdk.Duration.days(environment.backup_days),
        copy_tags_to_snapshot=True,
        deletion_protection=environment.keep_data,
        removal_policy=removal_policy(environment),
        delete_automated_backups=not environment.keep_data,
        auto_minor_version_upgrade=True,
        enable_performance_insights=True,
        performance_insight_encryption_key=key,
        monitoring_interval=cdk.Duration.seconds(60),
        cloudwatch_logs_exports=exports,
    )
    database.node.add_dependency(*groups)
    reasons = {
        "AwsSolutions-RDS11": "Only our own functions can reach the port, so its number does not matter.",
        "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
        "AmazonRDSEnhancedMonitoringRole]": "RDS's managed policy: it writes to RDS's own log group only.",
    }
    if not environment.multi_az:
        reasons["AwsSolutions-RDS3"] = (
            "A zone's outage is an outage here, for half the price; prod uses two zones."
        )
    if not environment.keep_data:
        reasons["AwsSolutions-RDS10"] = "It can be deleted with its stack; prod is protected."
    acknowledge(database, reasons)
    return database
