"""How a new version of the API gets traffic: after a check, a tenth of the requests first, then all.

CodeDeploy shifts the alias. `release_check` blocks a version that is wrong or slow, and every alarm here
rolls the alias back to the previous version.
"""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codedeploy as codedeploy
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import triggers
from constructs import Construct

from cdk.acknowledgments import acknowledge, acknowledge_wildcards
from cdk.alarms import AlarmSpec, add_alarms
from cdk.environments import Environment
from cdk.function_config import LIVE_ALIAS, RELEASE_CHECK
from cdk.metrics import MINUTE, function_errors, queue_depth
from cdk.packaging import zip_function
from cdk.permissions import allow
from cdk.queues import dead_letter_queue

CANARIES = {
    "all_at_once": codedeploy.LambdaDeploymentConfig.ALL_AT_ONCE,
    "10_percent_5_minutes": codedeploy.LambdaDeploymentConfig.CANARY_10_PERCENT_5_MINUTES,
    "10_percent_15_minutes": codedeploy.LambdaDeploymentConfig.CANARY_10_PERCENT_15_MINUTES,
}
# After this many starts, Lambda has cached the version's image.
WARM_UP_CALLS = 20


class Releases(Construct):
    """The deployment group, its check before traffic, and its alarms.

    With the context key `ignore_alarms`, a release proceeds in spite of active alarms, to deploy a fix.
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
        dead_letters: sqs.Queue,
        registrar: lambda_.Function,
        topic: sns.ITopic,
    ) -> None:
        super().__init__(scope, id)
        specs = self._alarm_specs(environment, live, server_errors, queue, dead_letters)
        self.alarms = add_alarms(self, topic, specs)
        self.check_dead_letters = dead_letter_queue(self, "CheckDeadLetterQueue")
        version = api.current_version
        self.check = zip_function(
            self,
            "Check",
            folder="release_check",
            environment=environment,
            settings={
                "API_FUNCTION_NAME": api.function_name,
                # Not live.alias_name: the alias depends on the deployment group, which needs this function.
                "API_ALIAS": LIVE_ALIAS,
                "API_VERSION_ARN": version.function_arn,
                "REGISTRAR_FUNCTION_NAME": registrar.function_name,
                "P95_BUDGET_MS": str(environment.p95_budget_ms),
                "WARM_UP_CALLS": str(WARM_UP_CALLS),
                "DEPLOYED_BY": str(self.node.try_get_context("deployed_by") or "cdk"),
            },
            config=RELEASE_CHECK,
            retry_attempts=2,
            dead_letter_queue=self.check_dead_letters,
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
            "CheckFirstVersion",  # which has no traffic to shift, so no hook would check and record it
            handler=self.check,
            timeout=cdk.Duration.seconds(RELEASE_CHECK.timeout_seconds),
            execute_after=[live, self.group],
        )
        events.Rule(
            self,
            "FailedRelease",
            description="Releases that CodeDeploy rolled back or stopped",
            event_pattern=events.EventPattern(
                source=["aws.codedeploy"],
                detail_type=["CodeDeploy Deployment State-change Notification"],
                detail={
                    "state": ["FAILURE", "STOP"],
                    "deploymentGroup": [self.group.deployment_group_name],
                },
            ),
            targets=[
                targets.LambdaFunction(
                    self.check, retry_attempts=3, dead_letter_queue=self.check_dead_letters
                )
            ],
        )
        acknowledge(
            self.group,
            {
                "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
                "AWSCodeDeployRoleForLambdaLimited]": "CodeDeploy's managed policy, the limited one: it "
                "shifts aliases and reads alarms."
            },
        )
        acknowledge_wildcards(
            self.group, {f"{self.check.function_arn}:*": "Versions of the one function that checks releases."}
        )

    def _grant(self, api: lambda_.Function, registrar: lambda_.Function) -> None:
        """Let the check invoke every version of the API (rollbacks release old ones) and the registrar."""
        versions = f"{api.function_arn}:*"
        allow(self.check, "lambda:InvokeFunction", on=[versions, registrar.function_arn])
        allow(self.check, "lambda:GetAlias", "lambda:GetFunction", on=[api.function_arn, versions])
        allow(self.check, "codedeploy:GetDeployment", on=[self.group.deployment_group_arn])
        acknowledge_wildcards(
            self.check, {versions: "Versions of one function, each of which can be released."}
        )

    def _alarm_specs(
        self,
        environment: Environment,
        live: lambda_.Alias,
        server_errors: cloudwatch.Metric,
        queue: sqs.Queue,
        dead_letters: sqs.Queue,
    ) -> list[AlarmSpec]:
        # Only new dead letters are the release's fault; older ones must not block it.
        new_dead_letters = cloudwatch.MathExpression(
            expression="DIFF(depth)",
            using_metrics={"depth": queue_depth(dead_letters, MINUTE)},
            period=MINUTE,
            label="new dead letters",
        )
        return [
            AlarmSpec(
                "Errors",
                function_errors(live, MINUTE),
                3,
                "The API function crashed or timed out at least three times in a minute.",
                "api-errors",
            ),
            AlarmSpec(
                "ServerErrors",
                server_errors.with_(period=MINUTE, statistic="Sum"),
                5,
                "At least five requests in a minute got a response with status 5xx.",
                "api-errors",
            ),
            AlarmSpec(
                "Throttles",
                live.metric_throttles(period=MINUTE, statistic="Sum"),
                1,
                "Lambda has throttled requests for two minutes: no instance was free.",
                "api-throttles",
                periods=2,
            ),
            AlarmSpec(
                "Latency",
                live.metric_duration(period=MINUTE, statistic="p99"),
                environment.p99_budget_ms,
                f"The API's p99 latency was at least {environment.p99_budget_ms} ms for three minutes.",
                "api-latency",
                periods=3,
            ),
            AlarmSpec(
                "NewDeadLetters",
                new_dead_letters,
                1,
                "More messages went to the dead-letter queue within a minute.",
                "dead-letters",
            ),
            AlarmSpec(
                "QueueAge",
                queue.metric_approximate_age_of_oldest_message(period=MINUTE, statistic="Maximum"),
                300,
                "Messages have waited for five minutes to be stored in Postgres.",
                "queue-age",
                periods=2,
            ),
        ]
