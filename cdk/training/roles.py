"""The roles of the state machine, its jobs, and MLflow; each may use named resources only."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from cdk.acknowledgments import acknowledge_wildcards, exported
from cdk.data.stack import DataStack
from cdk.permissions import allow, service_principal

# The EventBridge rule that notifies Step Functions of the end of a job.
JOB_EVENTS_RULE = "StepFunctionsGetEventsForSageMakerTrainingJobsRule"
JOB_LOG_GROUP = "/aws/sagemaker/TrainingJobs"


class JobRole(iam.Role):
    """The role of the jobs: read data, read and write outputs, log."""

    def __init__(
        self, scope: Construct, id: str, *, data: DataStack, image: ecr_assets.DockerImageAsset
    ) -> None:
        stack = cdk.Stack.of(scope)
        super().__init__(
            scope, id, assumed_by=service_principal(stack, "sagemaker"), description="Training jobs"
        )
        bucket, key = data.artifacts, data.key.key_arn
        outputs, inputs = bucket.arn_for_objects("training/*"), bucket.arn_for_objects("data/*")
        logs = stack.format_arn(
            service="logs",
            resource="log-group",
            resource_name=f"{JOB_LOG_GROUP}:*",
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )
        allow(self, "s3:GetObject", on=[inputs, outputs])
        allow(self, "s3:AbortMultipartUpload", "s3:PutObject", on=[outputs])
        allow(
            self,
            "s3:ListBucket",
            on=[bucket.bucket_arn],
            conditions={"StringLike": {"s3:prefix": ["data/*", "training/*"]}},
        )
        allow(self, "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", on=[key])
        # SageMaker needs a grant to attach the encrypted volume.
        allow(self, "kms:CreateGrant", on=[key], conditions={"Bool": {"kms:GrantIsForAWSResource": "true"}})
        allow(
            self,
            "logs:CreateLogGroup",
            "logs:CreateLogStream",
            "logs:DescribeLogStreams",
            "logs:PutLogEvents",
            on=[logs],
        )
        allow(
            self,
            "cloudwatch:PutMetricData",
            on=["*"],
            conditions={"StringEquals": {"cloudwatch:namespace": JOB_LOG_GROUP}},
        )
        image.repository.grant_pull(self)
        reason = "SageMaker names the objects, under a prefix of one bucket."
        imported = exported(data, bucket.bucket_arn)
        acknowledge_wildcards(
            self,
            {
                f"{imported}/data/*": reason,
                f"{imported}/training/*": reason,
                logs: "SageMaker names the log streams.",
                "*": "ecr:GetAuthorizationToken and cloudwatch:PutMetricData take no resources; the second is"
                " limited to SageMaker's namespace.",
            },
        )


class StateMachineRole(iam.Role):
    """The role of the state machine: jobs of this environment, the registrar, the alert topic."""

    def __init__(
        self, scope: Construct, id: str, *, data: DataStack, job_role: iam.IRole, prefix: str
    ) -> None:
        stack = cdk.Stack.of(scope)
        super().__init__(
            scope, id, assumed_by=service_principal(stack, "states"), description="Training state machine"
        )
        jobs = stack.format_arn(service="sagemaker", resource="training-job", resource_name=f"{prefix}-*")
        allow(
            self,
            "sagemaker:AddTags",
            "sagemaker:CreateTrainingJob",
            "sagemaker:DescribeTrainingJob",
            "sagemaker:StopTrainingJob",
            on=[jobs],
        )
        allow(
            self,
            "iam:PassRole",
            on=[job_role.role_arn],
            conditions={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
        )
        rule = stack.format_arn(service="events", resource="rule", resource_name=JOB_EVENTS_RULE)
        allow(self, "events:DescribeRule", "events:PutRule", "events:PutTargets", on=[rule])
        allow(self, "lambda:InvokeFunction", on=[data.registrar.function_arn])
        allow(self, "sns:Publish", on=[data.alert_topic.topic_arn])
        allow(self, "kms:Decrypt", "kms:GenerateDataKey", on=[data.key.key_arn])
        acknowledge_wildcards(
            self,
            {
                jobs: "A job is named when it starts, with this environment's prefix.",
                "*": "The actions of X-Ray and of log delivery take no resources.",
            },
        )


class ManagedMlflow(Construct):
    """SageMaker's serverless MLflow, where jobs log their runs; only its storage costs money."""

    def __init__(self, scope: Construct, id: str, *, data: DataStack, users: Sequence[iam.Role]) -> None:
        super().__init__(scope, id)
        stack = cdk.Stack.of(scope)
        role = iam.Role(
            self, "Role", assumed_by=service_principal(stack, "sagemaker"), description="Managed MLflow"
        )
        bucket, key = data.artifacts, data.key.key_arn
        store = bucket.arn_for_objects("mlflow/*")
        allow(role, "s3:DeleteObject", "s3:GetObject", "s3:PutObject", on=[store])
        allow(
            role,
            "s3:ListBucket",
            on=[bucket.bucket_arn],
            conditions={"StringLike": {"s3:prefix": ["mlflow/*"]}},
        )
        allow(role, "kms:Decrypt", "kms:GenerateDataKey", on=[key])
        app = sagemaker.CfnMlflowApp(
            self,
            "App",
            name=stack.stack_name,
            artifact_store_uri=f"s3://{bucket.bucket_name}/mlflow",
            role_arn=role.role_arn,
        )
        app.node.add_dependency(role)
        self.arn = app.attr_arn
        for user in users:
            allow(user, "sagemaker:CallMlflowAppApi", on=[self.arn])
            allow(user, "s3:GetObject", "s3:PutObject", on=[store])
        for owner in (role, *users):
            acknowledge_wildcards(
                owner, {f"{exported(data, bucket.bucket_arn)}/mlflow/*": "MLflow names what it stores."}
            )
