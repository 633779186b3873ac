"""The training stack: permissions, cost limits, and notifications."""

import json
from dataclasses import replace

import pytest
from aws_cdk.assertions import Match

from cdk.training.stack import training_jobs
from tests.fixtures.templates import OPEN, PLAIN, Template, referenced, resources, statements, synthesize


@pytest.fixture(scope="module")
def template() -> Template:
    return synthesize(PLAIN)["Training"]


@pytest.fixture(scope="module")
def scheduled() -> Template:
    return synthesize(OPEN)["Training"]


def test_a_job_stops_at_its_limit_of_dollars_or_seconds() -> None:
    environment = replace(
        PLAIN, training_instance="ml.g5.xlarge", training_instances=4, training_max_dollars=5.0
    )
    by_dollars = training_jobs(replace(environment, training_max_seconds=10**6))
    # Four instances cost four times as much per second.
    assert by_dollars["search"].max_seconds == pytest.approx(4 * by_dollars["fine_tune"].max_seconds, abs=4)
    by_seconds = training_jobs(replace(environment, training_max_seconds=60))
    assert {job.max_seconds for job in by_seconds.values()} == {60}


def test_an_instance_type_without_a_price_is_rejected() -> None:
    with pytest.raises(ValueError, match="no price"):
        training_jobs(replace(PLAIN, training_instance="ml.unheard-of.xlarge"))


def test_jobs_use_spot_instances_only_if_the_environment_does() -> None:
    on_demand = training_jobs(replace(PLAIN, training_spot=False))
    assert {job.spot_wait_seconds for job in on_demand.values()} == {None}
    assert training_jobs(replace(PLAIN, training_spot=True))["fine_tune"].spot_wait_seconds


def test_only_actions_that_take_no_resource_are_allowed_on_every_resource(template: Template) -> None:
    wildcards = [statement for statement in statements(template) if statement["Resource"] == "*"]
    actions = {action for statement in wildcards for action in as_list(statement["Action"])}
    assert {action.split(":")[0] for action in actions} <= {"logs", "xray", "ecr", "cloudwatch"}
    assert "ecr:GetAuthorizationToken" in actions
    assert "*" not in {action for s in statements(template) for action in as_list(s["Action"])}


def test_jobs_write_only_under_training(template: Template) -> None:
    writes = [s for s in statements(template) if "s3:PutObject" in as_list(s["Action"])]
    assert len(writes) == 1
    assert json.dumps(writes[0]["Resource"]).count("/training/*") == 1


def test_the_state_machine_can_pass_its_job_role_to_sagemaker_only(template: Template) -> None:
    (statement,) = [s for s in statements(template) if s["Action"] == "iam:PassRole"]
    assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    assert statement["Resource"] != "*"


def test_services_can_assume_the_roles_for_this_account_only(template: Template) -> None:
    for service in ("sagemaker.amazonaws.com", "states.amazonaws.com"):
        template.has_resource_properties(
            "AWS::IAM::Role",
            {
                "AssumeRolePolicyDocument": {
                    "Statement": [
                        {
                            "Action": "sts:AssumeRole",
                            "Effect": "Allow",
                            "Principal": {"Service": service},
                            "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
                        }
                    ]
                }
            },
        )


def test_executions_are_fully_logged_and_traced(template: Template) -> None:
    template.has_resource_properties(
        "AWS::StepFunctions::StateMachine",
        {
            "LoggingConfiguration": Match.object_like({"Level": "ALL"}),
            "TracingConfiguration": {"Enabled": True},
        },
    )


def test_failures_that_the_state_machine_cannot_report_notify_the_alert_topic(template: Template) -> None:
    (rule,) = resources(template, "AWS::Events::Rule")
    assert rule["EventPattern"]["detail"]["$or"] == [
        {"status": ["TIMED_OUT", "ABORTED"]},
        {"status": ["FAILED"], "error": [{"anything-but": "TrainingFailed"}]},
    ]
    (target,) = rule["Targets"]
    [topic] = referenced(synthesize(PLAIN), "Training", target["Arn"])
    assert topic.type == "AWS::SNS::Topic"
    message = json.loads(target["InputTransformer"]["InputTemplate"])
    assert message.endswith("\n\nRunbook: docs/operations.md#training-failed")


def test_the_command_line_finds_the_state_machine_by_its_output(template: Template) -> None:
    (name,) = template.find_resources("AWS::StepFunctions::StateMachine")
    assert template.find_outputs("StateMachineArn")["StateMachineArn"]["Value"] == {"Ref": name}


def test_training_is_scheduled_only_if_the_environment_has_a_schedule(
    template: Template, scheduled: Template
) -> None:
    assert resources(template, "AWS::Scheduler::Schedule") == []
    assert resources(template, "AWS::SageMaker::MlflowApp") == []
    (schedule,) = resources(scheduled, "AWS::Scheduler::Schedule")
    assert schedule["ScheduleExpression"] == "rate(30 days)"
    assert json.loads(schedule["Target"]["Input"]) == {"reason": "schedule"}
    assert schedule["Target"]["RetryPolicy"]["MaximumRetryAttempts"] == 3
    assert "Arn" in schedule["Target"]["DeadLetterConfig"]


def test_jobs_get_the_uri_of_managed_mlflow_and_can_call_it(scheduled: Template) -> None:
    (app,) = resources(scheduled, "AWS::SageMaker::MlflowApp")
    assert "/mlflow" in json.dumps(app["ArtifactStoreUri"])
    (machine,) = resources(scheduled, "AWS::StepFunctions::StateMachine")
    assert "MLFLOW_TRACKING_URI" in machine["DefinitionString"]
    (call,) = [s for s in statements(scheduled) if s["Action"] == "sagemaker:CallMlflowAppApi"]
    assert call["Resource"] == machine["DefinitionSubstitutions"]["Mlflow"]


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
