"""The one Postgres: encrypted, backed up, over TLS alone, with logins by IAM, and logs without user text."""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from constructs import Construct

from cdk.acknowledgments import acknowledge
from cdk.environments import Environment
from cdk.packaging import log_group, removal_policy

DATABASE = "sentiment"
ADMIN = "administrator"
PARAMETERS = {
    "rds.force_ssl": "1",
    "log_min_duration_statement": "1000",
    "log_statement": "ddl",
    # Rows hold what people wrote, and logs must not: neither bound values nor "failing row contains ...".
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
}


def make_database(
    scope: Construct, id: str, *, environment: Environment, vpc: ec2.IVpc, key: kms.IKey
) -> rds.DatabaseInstance:
    """Make the instance in the VPC's isolated subnets; RDS keeps and rotates the master's password."""
    engine = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_18)
    # RDS names its log groups after the instance and would keep them for ever, so both are ours to name.
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
    accepted = {
        "AwsSolutions-RDS11": "Only our own functions reach the port, whatever its number.",
        "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
        "AmazonRDSEnhancedMonitoringRole]": "RDS's own policy: it writes to RDS's own log group alone.",
    }
    if not environment.multi_az:
        accepted["AwsSolutions-RDS3"] = "A zone's outage is an outage here, at half the price; prod has two."
    if not environment.keep_data:
        accepted["AwsSolutions-RDS10"] = "It is made to be destroyed with its stack; prod refuses deletion."
    acknowledge(database, accepted)
    return database
