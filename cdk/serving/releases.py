"""How a new version of the API gets traffic: checked before the first request, a tenth of it, then all.

CodeDeploy moves the alias. `release_check` holds it back while the version is cold, wrong or slow, and every
alarm here takes the alias back to the version before.
"""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codedeploy as codedeploy
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import triggers
from constructs import Construct

from cdk import queues
from cdk.acknowledgments import acknowledge, acknowledge_wildcards
from cdk.alarms import alarm, each_minute
from cdk.environments import Environment
from cdk.functions import LIVE_ALIAS
from cdk.packaging import zip_function

CANARIES = {
    "all_at_once": codedeploy.LambdaDeploymentConfig.ALL_AT_ONCE,
    "10_percent_5_minutes": codedeploy.LambdaDeploymentConfig.CANARY_10_PERCENT_5_MINUTES,
    "10_percent_15_minutes": codedeploy.LambdaDeploymentConfig.CANARY_10_PERCENT_15_MINUTES,
}
# Lambda's caches hold a version's image after enough instances have started from it.
WARM_UP_CALLS = 20
CHECK_SECONDS = 600


class Releases(Construct):
    """The deployment group, its check before traffic, and its alarms.

    With the context key `ignore_alarms` a release goes through while they ring, which is how the fix of what
    they ring about gets out.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        environment: Environment,
        api: lambda_.Function,
        live: lambda_.Alias,
        server_errors: cloudwatch.Metric,
        queue: sqs.Queue,
        dead_letter_queue: sqs.Queue,
        registrar: lambda_.Function,
        topic: sns.ITopic,
    ) -> None:
        super().__init__(scope, id)
        self.alarms = self._alarms(environment, live, server_errors, queue, dead_letter_queue, topic)
        self.not_recorded = not_recorded = queues.dead_letter_queue(self, "NotRecorded")
        version = api.current_version
        self.check = zip_function(
            self,
            "Check",
            folder="release_check",
            environment=environment,
            settings={
                "API_FUNCTION_NAME": api.function_name,
                # Not live.alias_name: the alias waits for the deployment group, and that for this function.
                "API_ALIAS": LIVE_ALIAS,
                "API_VERSION_ARN": version.function_arn,
                "REGISTRAR_FUNCTION_NAME": registrar.function_name,
                "P95_BUDGET_MS": str(environment.p95_budget_ms),
                "WARM_UP_CALLS": str(WARM_UP_CALLS),
                "DEPLOYED_BY": str(self.node.try_get_context("deployed_by") or "cdk"),
            },
            memory_mb=512,
            timeout_seconds=CHECK_SECONDS,
            retry_attempts=2,
            dead_letter_queue=not_recorded,
        )
        self.group = codedeploy.LambdaDeploymentGroup(
            self,
            "Group",
            alias=live,
            deployment_config=CANARIES[environment.canary],
            pre_hook=self.check,
            alarms=[*self.alarms],
            ignore_alarm_configuration=bool(self.node.try_get_context("ignore_alarms")),
            auto_rollback=codedeploy.AutoRollbackConfig(
                failed_deployment=True, stopped_deployment=True, deployment_in_alarm=True
            ),
        )
        self._grant(api, registrar)
        triggers.Trigger(
            self,
            "Deployed",  # the first version has no traffic to shift, so no hook would check and record it
            handler=self.check,
            timeout=cdk.Duration.seconds(CHECK_SECONDS),
            execute_after=[live, self.group],
        )
        events.Rule(
            self,
            "GivenUp",
            description="Releases that CodeDeploy took back or stopped",
            event_pattern=events.EventPattern(
                source=["aws.codedeploy"],
                detail_type=["CodeDeploy Deployment State-change Notification"],
                detail={
                    "state": ["FAILURE", "STOP"],
                    "deploymentGroup": [self.group.deployment_group_name],
                },
            ),
            targets=[targets.LambdaFunction(self.check, retry_attempts=3, dead_letter_queue=not_recorded)],
        )
        acknowledge(
            self.group,
            {
                "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
                "AWSCodeDeployRoleForLambdaLimited]": "CodeDeploy's own policy, the limited one: it moves "
                "aliases and reads alarms."
            },
        )
        acknowledge_wildcards(
            self.group, {f"{self.check.function_arn}:*": "Versions of the one function that checks releases."}
        )

    def _grant(self, api: lambda_.Function, registrar: lambda_.Function) -> None:
        """Let the check call any version of the API, since rollbacks release old ones, and write it down."""
        versions = f"{api.function_arn}:*"
        for actions, resources in (
            (["lambda:InvokeFunction"], [versions, registrar.function_arn]),
            (["lambda:GetAlias", "lambda:GetFunction"], [api.function_arn, versions]),
            (["codedeploy:GetDeployment"], [self.group.deployment_group_arn]),
        ):
            self.check.add_to_role_policy(iam.PolicyStatement(actions=actions, resources=resources))
        role = self.check.role
        assert role is not None  # noqa: S101
        acknowledge_wildcards(role, {versions: "Versions of one function, all of which may be released."})

    def _alarms(
        self,
        environment: Environment,
        live: lambda_.Alias,
        server_errors: cloudwatch.Metric,
        queue: sqs.Queue,
        dead_letter_queue: sqs.Queue,
        topic: sns.ITopic,
    ) -> list[cloudwatch.Alarm]:
        depth = each_minute(dead_letter_queue.metric_approximate_number_of_messages_visible(), "Maximum")
        # Letters that lay there before a release must not forbid it; new ones are its doing.
        growth = cloudwatch.MathExpression(
            expression="DIFF(depth)",
            using_metrics={"depth": depth},
            period=cdk.Duration.minutes(1),
            label="new dead letters",
        )
        return [
            alarm(
                self,
                "Errors",
                metric=each_minute(live.metric_errors(), "Sum"),
                threshold=3,
                what="The API function crashed or timed out at least three times in a minute.",
                anchor="api-errors",
                topic=topic,
            ),
            alarm(
                self,
                "ServerErrors",
                metric=each_minute(server_errors, "Sum"),
                threshold=5,
                what="The API answered at least five requests in a minute with a server error.",
                anchor="api-errors",
                topic=topic,
            ),
            alarm(
                self,
                "Throttles",
                metric=each_minute(live.metric_throttles(), "Sum"),
                threshold=1,
                periods=2,
                what="Lambda refuses requests because too many run at once.",
                anchor="api-throttles",
                topic=topic,
            ),
            alarm(
                self,
                "Latency",
                metric=each_minute(live.metric_duration(), "p99"),
                threshold=environment.p99_budget_ms,
                periods=3,
                what=f"One answer in a hundred has taken over {environment.p99_budget_ms} ms for 3 minutes.",
                anchor="api-latency",
                topic=topic,
            ),
            alarm(
                self,
                "NewDeadLetters",
                metric=growth,
                threshold=1,
                what="More facts ended in the dead-letter queue within a minute.",
                anchor="dead-letters",
                topic=topic,
            ),
            alarm(
                self,
                "QueueAge",
                metric=each_minute(queue.metric_approximate_age_of_oldest_message(), "Maximum"),
                threshold=300,
                periods=2,
                what="Facts have waited five minutes for Postgres.",
                anchor="queue-age",
                topic=topic,
            ),
        ]
