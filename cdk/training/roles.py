"""What the training may do: the state machine, its jobs, and MLflow, each by name and no further."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from cdk.acknowledgments import acknowledge_wildcards, exported
from cdk.data.stack import DataStack

# The rule by which Step Functions learns that a job has ended.
WAITING_RULE = "StepFunctionsGetEventsForSageMakerTrainingJobsRule"
JOB_LOG = "/aws/sagemaker/TrainingJobs"


def allow(role: iam.Role, *actions: str, on: Sequence[str], when: dict[str, object] | None = None) -> None:
    """Add a statement to a role."""
    role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=list(on), conditions=when))


def service(stack: cdk.Stack, name: str) -> iam.ServicePrincipal:
    """Return a service as it acts for this account, so that nobody else's use of it can borrow the role."""
    return iam.ServicePrincipal(
        f"{name}.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": stack.account}}
    )


class JobRole(iam.Role):
    """What a job may do: read data, read and write outputs, log. Code in the image gets no more."""

    def __init__(
        self, scope: Construct, id: str, *, data: DataStack, image: ecr_assets.DockerImageAsset
    ) -> None:
        stack = cdk.Stack.of(scope)
        super().__init__(scope, id, assumed_by=service(stack, "sagemaker"), description="Training jobs")
        bucket, key = data.artifacts, data.key.key_arn
        outputs, inputs = bucket.arn_for_objects("training/*"), bucket.arn_for_objects("data/*")
        logs = stack.format_arn(
            service="logs",
            resource="log-group",
            resource_name=f"{JOB_LOG}:*",
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )
        allow(self, "s3:GetObject", on=[inputs, outputs])
        allow(self, "s3:AbortMultipartUpload", "s3:PutObject", on=[outputs])
        allow(
            self,
            "s3:ListBucket",
            on=[bucket.bucket_arn],
            when={"StringLike": {"s3:prefix": ["data/*", "training/*"]}},
        )
        allow(self, "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", on=[key])
        # By which SageMaker attaches the encrypted volume.
        allow(self, "kms:CreateGrant", on=[key], when={"Bool": {"kms:GrantIsForAWSResource": "true"}})
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
            when={"StringEquals": {"cloudwatch:namespace": JOB_LOG}},
        )
        image.repository.grant_pull(self)
        named = "SageMaker names the objects; the prefix is of one bucket."
        imported = exported(data, bucket.bucket_arn)
        acknowledge_wildcards(
            self,
            {
                f"{imported}/data/*": named,
                f"{imported}/training/*": named,
                logs: "SageMaker names the log streams.",
                "*": "ecr:GetAuthorizationToken and cloudwatch:PutMetricData know no resources; the second is"
                " limited to SageMaker's namespace.",
            },
        )


class MachineRole(iam.Role):
    """What the states do: jobs of this environment, one function, one topic."""

    def __init__(
        self, scope: Construct, id: str, *, data: DataStack, job_role: iam.IRole, prefix: str
    ) -> None:
        stack = cdk.Stack.of(scope)
        super().__init__(scope, id, assumed_by=service(stack, "states"), description="Runs the training")
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
            when={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
        )
        rule = stack.format_arn(service="events", resource="rule", resource_name=WAITING_RULE)
        allow(self, "events:DescribeRule", "events:PutRule", "events:PutTargets", on=[rule])
        allow(self, "lambda:InvokeFunction", on=[data.registrar.function_arn])
        allow(self, "sns:Publish", on=[data.alert_topic.topic_arn])
        allow(self, "kms:Decrypt", "kms:GenerateDataKey", on=[data.key.key_arn])
        acknowledge_wildcards(
            self,
            {
                jobs: "A job is named when it starts; the prefix is this environment's own.",
                "*": "X-Ray and the delivery of logs know no resources.",
            },
        )


class ManagedMlflow(Construct):
    """SageMaker's serverless MLflow, which jobs report to; what it stores costs money, the app does not."""

    def __init__(self, scope: Construct, id: str, *, data: DataStack, users: Sequence[iam.Role]) -> None:
        super().__init__(scope, id)
        stack = cdk.Stack.of(scope)
        role = iam.Role(
            self, "Role", assumed_by=service(stack, "sagemaker"), description="MLflow's artifacts"
        )
        bucket, key = data.artifacts, data.key.key_arn
        store = bucket.arn_for_objects("mlflow/*")
        allow(role, "s3:DeleteObject", "s3:GetObject", "s3:PutObject", on=[store])
        allow(role, "s3:ListBucket", on=[bucket.bucket_arn], when={"StringLike": {"s3:prefix": ["mlflow/*"]}})
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
