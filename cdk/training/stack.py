"""The training stack: the image, the state machine that runs it on SageMaker, and its schedule.

It costs nothing until an execution starts.
"""

import json

import aws_cdk as cdk
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as scheduler_targets
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from cdk.acknowledgments import acknowledge
from cdk.alarms import AlarmSpec, add_alarms, runbook
from cdk.costs.price_list import hourly_price
from cdk.data.stack import DataStack
from cdk.environments import Environment
from cdk.metrics import MINUTE, queue_depth
from cdk.packaging import IGNORED, base_image_arguments
from cdk.paths import ROOT
from cdk.queues import dead_letter_queue
from cdk.retention import log_group
from cdk.training.jobs import Job
from cdk.training.roles import JobRole, ManagedMlflow, StateMachineRole
from cdk.training.workflow import REPORTED_ERROR, definition

GPU_INSTANCES = ("ml.g", "ml.p")
IMAGE_CONTEXT = ["*", "!training", "!layers/requirements/training.txt", *IGNORED]


class TrainingStack(cdk.Stack):
    """The training image and the state machine, which the CLI finds by the output StateMachineArn."""

    def __init__(
        self, scope: Construct, id: str, *, environment: Environment, data: DataStack, **stack: object
    ) -> None:
        super().__init__(scope, id, **stack)  # type: ignore[arg-type]
        self.environment_settings = environment
        self.data = data
        self.prefix = f"sentiment-{environment.name}"
        self.runbook = f"{runbook(self)}#training-failed"
        self.image = ecr_assets.DockerImageAsset(
            self,
            "Image",
            directory=str(ROOT),
            file="training/Dockerfile",
            exclude=IMAGE_CONTEXT,
            ignore_mode=cdk.IgnoreMode.DOCKER,
            build_args={"TORCH": "cuda" if environment.training_instance.startswith(GPU_INSTANCES) else "cpu"}
            | base_image_arguments(self, "training_"),
            platform=ecr_assets.Platform.LINUX_AMD64,  # as SageMaker's GPU instances
        )
        self.job_role = JobRole(self, "JobRole", data=data, image=self.image)
        self.mlflow = (
            ManagedMlflow(self, "Mlflow", data=data, users=[self.job_role])
            if environment.managed_mlflow
            else None
        )
        self.state_machine = self._state_machine()
        self._notify_of_unreported_failures()
        if environment.training_schedule:
            self._schedule(environment.training_schedule)
        cdk.CfnOutput(self, "StateMachineArn", value=self.state_machine.state_machine_arn)

    def _state_machine(self) -> sfn.StateMachine:
        environment, data = self.environment_settings, self.data
        return sfn.StateMachine(
            self,
            "StateMachine",
            role=StateMachineRole(
                self, "StateMachineRole", data=data, job_role=self.job_role, prefix=self.prefix
            ),
            definition_body=sfn.DefinitionBody.from_string(
                json.dumps(
                    definition(
                        **training_jobs(environment),
                        isolated=not (environment.training_internet or environment.managed_mlflow),
                        mlflow=environment.managed_mlflow,
                    )
                )
            ),
            definition_substitutions={
                "Bucket": data.artifacts.bucket_name,
                "Environment": environment.name,
                "Image": self.image.image_uri,
                "Key": data.key.key_arn,
                "Prefix": self.prefix,
                "Region": self.region,
                "Registrar": data.registrar.function_arn,
                "Runbook": self.runbook,
                "Topic": data.alert_topic.topic_arn,
                "TrainingRole": self.job_role.role_arn,
                **({"Mlflow": self.mlflow.arn} if self.mlflow else {}),
            },
            timeout=cdk.Duration.days(7),
            tracing_enabled=True,
            logs=sfn.LogOptions(
                destination=log_group(self, "StateMachineLog", environment), level=sfn.LogLevel.ALL
            ),
        )

    def _notify_of_unreported_failures(self) -> None:
        """Notify of failures that the state machine cannot report: time-outs, aborts, its own errors."""
        arn = self.state_machine.state_machine_arn
        rule = events.Rule(
            self,
            "UnreportedFailure",
            description="Training executions that failed without a notification",
            event_pattern=events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={
                    "stateMachineArn": [arn],
                    "$or": [
                        {"status": ["TIMED_OUT", "ABORTED"]},
                        {"status": ["FAILED"], "error": [{"anything-but": REPORTED_ERROR}]},
                    ],
                },
            ),
            targets=[
                targets.SnsTopic(
                    self.data.alert_topic,
                    message=events.RuleTargetInput.from_text(
                        f"Training in {self.environment_settings.name} ended with status"
                        f" {events.EventField.from_path('$.detail.status')}.\n\n"
                        f"Execution: {events.EventField.from_path('$.detail.executionArn')}\n\n"
                        f"Runbook: {self.runbook}"
                    ),
                    authorize_using_role=True,
                )
            ],
        )
        acknowledge(
            rule,
            {"AwsSolutions-IAM5[Action::kms:GenerateDataKey*]": "CDK's grant, on the topic's key only."},
        )

    def _schedule(self, expression: str) -> None:
        dead_letters = dead_letter_queue(self, "ScheduleDeadLetterQueue")
        spec = AlarmSpec(
            "ScheduleDeadLetters",
            queue_depth(dead_letters, MINUTE),
            1,
            "A scheduled training could not be started.",
            "training-failed",
        )
        add_alarms(self, self.data.alert_topic, [spec])
        scheduler.Schedule(
            self,
            "Schedule",
            description="Starts a training",
            schedule=scheduler.ScheduleExpression.expression(expression),
            target=scheduler_targets.StepFunctionsStartExecution(
                self.state_machine,
                input=scheduler.ScheduleTargetInput.from_object({"reason": "schedule"}),
                retry_attempts=3,
                max_event_age=cdk.Duration.hours(1),
                dead_letter_queue=dead_letters,
            ),
        )


def training_jobs(environment: Environment) -> dict[str, Job]:
    """Return the three jobs on the environment's instances, each with a limit of seconds and dollars.

    An attempt costs at most the limit, at the on-demand price. A search or fine-tuning that did not finish on
    spot instances within their wait continues on demand, with a new limit.
    """

    def job(name: str, instance_type: str, *, instances: int = 1, spot: bool = False) -> Job:
        hourly = hourly_price(instance_type, environment.region) * instances
        affordable = int(environment.training_max_dollars / hourly * 3600)
        return Job(
            name=name,
            instance_type=instance_type,
            instances=instances,
            max_seconds=min(environment.training_max_seconds, affordable),
            spot_wait_seconds=environment.training_spot_wait_seconds if spot else None,
        )

    spot, trainer = environment.training_spot, environment.training_instance
    return {
        "search": job("search", trainer, spot=spot),
        "fine_tune": job("fine_tune", trainer, instances=environment.training_instances, spot=spot),
        "export": job("export", environment.export_instance),
    }
