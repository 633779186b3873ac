"""Training in the cloud: the image, the state machine that runs it on SageMaker, and who may start it.

Nothing here costs anything until an execution starts.
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
from cdk.alarms import alarm, each_minute, runbook
from cdk.costs.price_list import hourly_price
from cdk.data.stack import DataStack
from cdk.environments import Environment
from cdk.packaging import JUNK, log_group
from cdk.paths import ROOT
from cdk.queues import dead_letter_queue
from cdk.training.jobs import Job
from cdk.training.roles import JobRole, MachineRole, ManagedMlflow
from cdk.training.workflow import TOLD, definition

GPUS = ("ml.g", "ml.p")
IMAGE_CONTEXT = ["*", "!training", "!layers/requirements/training.txt", *JUNK]


class TrainingStack(cdk.Stack):
    """The training image and the state machine; stack output StateMachineArn is what the CLI starts."""

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
            build_args={"TORCH": "cuda" if environment.training_instance.startswith(GPUS) else "cpu"}
            | {
                name.upper(): value
                for name in ("base_image", "base_digest")
                if (value := self.node.try_get_context(f"training_{name}"))
            },
            platform=ecr_assets.Platform.LINUX_AMD64,  # what SageMaker's GPU instances are
        )
        self.job_role = JobRole(self, "JobRole", data=data, image=self.image)
        self.mlflow = (
            ManagedMlflow(self, "Mlflow", data=data, users=[self.job_role])
            if environment.managed_mlflow
            else None
        )
        self.state_machine = self._state_machine()
        self._report_silent_ends()
        if environment.training_schedule:
            self._schedule(environment.training_schedule)
        cdk.CfnOutput(self, "StateMachineArn", value=self.state_machine.state_machine_arn)

    def _state_machine(self) -> sfn.StateMachine:
        environment, data = self.environment_settings, self.data
        machine = sfn.StateMachine(
            self,
            "StateMachine",
            role=MachineRole(self, "MachineRole", data=data, job_role=self.job_role, prefix=self.prefix),
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
                destination=log_group(self, "MachineLog", environment), level=sfn.LogLevel.ALL
            ),
        )
        return machine

    def _report_silent_ends(self) -> None:
        """Tell the topic of the ends that the state machine cannot: time-outs, aborts, its own faults."""
        arn = self.state_machine.state_machine_arn
        rule = events.Rule(
            self,
            "SilentEnd",
            description="Executions of the training that ended without a message",
            event_pattern=events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={
                    "stateMachineArn": [arn],
                    "$or": [
                        {"status": ["TIMED_OUT", "ABORTED"]},
                        {"status": ["FAILED"], "error": [{"anything-but": TOLD}]},
                    ],
                },
            ),
            targets=[
                targets.SnsTopic(
                    self.data.alert_topic,
                    message=events.RuleTargetInput.from_text(
                        f"Training in {self.environment_settings.name} ended as"
                        f" {events.EventField.from_path('$.detail.status')}.\n\n"
                        f"Execution: {events.EventField.from_path('$.detail.executionArn')}\n\n"
                        f"What to do: {self.runbook}"
                    ),
                    authorize_using_role=True,
                )
            ],
        )
        acknowledge(
            rule,
            {"AwsSolutions-IAM5[Action::kms:GenerateDataKey*]": "CDK's grant, on the topic's key alone."},
        )

    def _schedule(self, expression: str) -> None:
        not_started = dead_letter_queue(self, "NotStarted")
        alarm(
            self,
            "NotStartedAlarm",
            metric=each_minute(not_started.metric_approximate_number_of_messages_visible(), "Maximum"),
            threshold=1,
            what="A scheduled training could not be started.",
            anchor="training-failed",
            topic=self.data.alert_topic,
        )
        scheduler.Schedule(
            self,
            "Regularly",
            description="Trains again",
            schedule=scheduler.ScheduleExpression.expression(expression),
            target=scheduler_targets.StepFunctionsStartExecution(
                self.state_machine,
                input=scheduler.ScheduleTargetInput.from_object({"reason": "schedule"}),
                retry_attempts=3,
                max_event_age=cdk.Duration.hours(1),
                dead_letter_queue=not_started,
            ),
        )


def training_jobs(environment: Environment) -> dict[str, Job]:
    """Return the three jobs on the environment's instances, each stopped at its cap of seconds or dollars.

    An attempt costs at most the cap, by the on-demand price. A search or fine-tuning that spot could not
    finish in its wait goes on on demand, with the cap anew.
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
