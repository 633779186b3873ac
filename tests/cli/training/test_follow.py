"""Following a training in AWS names the step and what its job does.

Against answers as AWS gives them: moto's interpreter runs no SageMaker jobs.
"""

import json
from typing import Any

from cli.aws import executions


class States:
    """Step Functions and SageMaker while one execution passes its states."""

    def __init__(self) -> None:
        self.status = iter(["RUNNING", "RUNNING", "SUCCEEDED"])
        self.events: list[dict[str, Any]] = [
            {"type": "ChoiceStateEntered", "stateEnteredEventDetails": {"name": "Search wanted?"}}
        ]
        arn = "arn:aws:sagemaker:eu-central-1:1:training-job/sentiment-dev-fine-tune-1"
        self.coming = iter(
            [
                [
                    {"type": "TaskStateEntered", "stateEnteredEventDetails": {"name": "Fine-tune"}},
                    {
                        "type": "TaskSubmitted",
                        "taskSubmittedEventDetails": {"output": json.dumps({"TrainingJobArn": arn})},
                    },
                ],
                [
                    {"type": "TaskSucceeded"},
                    {"type": "TaskStateEntered", "stateEnteredEventDetails": {"name": "Register"}},
                ],
                [],
            ]
        )
        self.region_name = "eu-central-1"

    def client(self, name: str) -> "States":
        return self

    def describe_execution(self, executionArn: str) -> dict[str, Any]:
        self.events += next(self.coming)
        return {"status": next(self.status), "output": '{"model_version": "v"}'}

    def get_paginator(self, name: str) -> "States":
        return self

    def paginate(self, executionArn: str) -> list[dict[str, Any]]:
        return [{"events": self.events[:2]}, {"events": self.events[2:]}]

    def describe_training_job(self, TrainingJobName: str) -> dict[str, str]:
        return {"TrainingJobStatus": "InProgress", "SecondaryStatus": f"Training of {TrainingJobName}"}


def test_following_names_the_step_and_what_its_job_does() -> None:
    seen: list[str] = []
    states: Any = States()
    output = executions.follow(
        states, "arn", lambda message, done=0, total=None: seen.append(message), poll_seconds=0
    )
    job = "sentiment-dev-fine-tune-1"
    assert seen == [f"Fine-tune: Training of {job} ({job})", "Register", "Register"]
    assert output == {"model_version": "v"}
