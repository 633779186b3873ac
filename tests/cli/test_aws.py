"""`sentiment train --on aws` starts, follows and fetches; mistakes are reported before it starts."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from sentiment.exceptions import ConfigurationError

from cli.aws import executions
from cli.aws.executions import ExecutionError
from cli.env_vars import load_environment, unset_local_system
from local.state import owned_state, write_environment
from training.errors import ConfigError, DataError

REGION = "eu-central-1"
VERSION = "20261124-0123abcd"


@dataclass
class Cloud:
    """The stacks of dev, with a state machine that answers at once instead of training."""

    bucket: str
    stepfunctions: Any
    s3: Any
    cloudformation: Any

    def deploy(self, machine: dict[str, Any]) -> None:
        """Deploy the training stack with a state machine of this one state."""
        definition = json.dumps({"StartAt": "Fine-tune", "States": {"Fine-tune": machine}})
        role = "arn:aws:iam::123456789012:role/none"
        arn = self.stepfunctions.create_state_machine(name="machine", definition=definition, roleArn=role)
        self.stack("training", StateMachineArn=arn["stateMachineArn"])

    def stack(self, name: str, **outputs: str) -> None:
        template = {
            "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
            "Outputs": {key: {"Value": value} for key, value in outputs.items()},
        }
        self.cloudformation.create_stack(StackName=f"sentiment-dev-{name}", TemplateBody=json.dumps(template))

    def requests(self) -> list[dict[str, Any]]:
        """Return the input of every execution that was started."""
        [machine] = self.stepfunctions.list_state_machines()["stateMachines"]
        executions = self.stepfunctions.list_executions(stateMachineArn=machine["stateMachineArn"])
        return [
            json.loads(self.stepfunctions.describe_execution(executionArn=found["executionArn"])["input"])
            for found in executions["executions"]
        ]

    def publish(self, files: dict[str, bytes]) -> None:
        """Put an artifact where the registrar does."""
        card = {
            "schema_version": 1,
            "model_version": VERSION,
            "labels": ["negative", "positive"],
            "files": {
                name: {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
                for name, body in files.items()
            },
            "metrics": {
                "rows": 1000,
                "int8": {"accuracy": 0.871},
                "fp32": {"accuracy": 0.875},
                "flipped": 0.01,
            },
        }
        for name, body in {**files, "model.json": json.dumps(card).encode()}.items():
            self.s3.put_object(Bucket=self.bucket, Key=f"models/{VERSION}/{name}", Body=body)


SUCCEEDS = {
    "Type": "Pass",
    "Result": {"model_version": VERSION, "artifact_uri": f"s3://artifacts/models/{VERSION}/"},
    "End": True,
}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setattr("time.sleep", lambda _: None)
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        clients = (
            boto3.client(name, region_name=REGION) for name in ("stepfunctions", "s3", "cloudformation")
        )
        cloud = Cloud("artifacts", *clients)
        cloud.s3.create_bucket(Bucket=cloud.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        cloud.stack("data", ArtifactBucket=cloud.bucket)
        yield cloud


def test_it_uploads_starts_follows_and_fetches(cloud: Cloud, run: Any, reviews_csv: Path) -> None:
    cloud.deploy(SUCCEEDS)
    cloud.publish({"model.onnx": b"graph", "tokenizer.json": b"{}"})
    options = ["--data", str(reviews_csv), "--epochs", "2", "--labels", "negative, positive", "--quick"]
    options += ["--student-layers", "3", "--no-length-grouped", "--source-weights", "reviews.csv=2"]
    result = run("train", "--on", "aws", *options, "--trials", "3", "--drop-bad-rows")
    assert result.exit_code == 0, result.exception
    assert "int8 87.1%" in result.output

    digest = hashlib.sha256(reviews_csv.read_bytes()).hexdigest()
    assert cloud.requests() == [
        {
            "hyperparameters": {
                "epochs": "2",
                "labels": "negative,positive",
                "quick": "true",
                "drop_bad_rows": "true",
                "student_layers": "3",
                "length_grouped": "false",
                "source_weights": "reviews.csv=2",
            },
            "data_uri": f"s3://artifacts/data/{digest}/",
            "trials": "3",
        }
    ]
    stored = cloud.s3.get_object(Bucket="artifacts", Key=f"data/{digest}/reviews.csv")["Body"].read()
    assert stored == reviews_csv.read_bytes()
    assert Path("artifacts/model").resolve().name == VERSION
    assert Path("artifacts/model/model.onnx").read_bytes() == b"graph"


def test_extra_rows_are_uploaded_too_and_named_to_the_state_machine(
    cloud: Cloud, run: Any, reviews_csv: Path
) -> None:
    cloud.deploy(SUCCEEDS)
    cloud.publish({"model.onnx": b"graph"})
    Path("feedback.csv").write_text("text,label\nA stunning documentary.,positive\n")
    result = run("train", "--on", "aws", "--data", str(reviews_csv), "--extra-data", "feedback.csv")
    assert result.exit_code == 0, result.exception
    [request] = cloud.requests()
    address = request["extra_data_uri"]
    assert "extra_data" not in request["hyperparameters"]
    key = address.removeprefix("s3://artifacts/") + "feedback.csv"
    stored = cloud.s3.get_object(Bucket="artifacts", Key=key)["Body"].read()
    assert stored == Path("feedback.csv").read_bytes()


def test_the_same_data_under_another_name_is_there_already(cloud: Cloud, reviews_csv: Path) -> None:
    session = boto3.Session(region_name=REGION)
    address = executions.upload(session, cloud.bucket, reviews_csv)
    # A name that begins like another one must not pass for it, nor make a second file of the same rows.
    for name in ("reviews.cs", "reviews.csv.old", "others.csv"):
        assert executions.upload(session, cloud.bucket, Path(shutil.copy(reviews_csv, name))) == address
    listed = cloud.s3.list_objects_v2(Bucket=cloud.bucket)["Contents"]
    assert [found["Key"].rpartition("/")[2] for found in listed] == ["reviews.csv"]


def test_a_version_that_is_here_is_replaced_whole(cloud: Cloud, empty_folder: Path) -> None:
    cloud.publish({"model.onnx": b"graph"})
    session, address = boto3.Session(region_name=REGION), f"s3://artifacts/models/{VERSION}/"
    first = executions.fetch(session, address, Path("artifacts")).folder
    (first / "model.onnx").write_bytes(b"damaged here")
    second = executions.fetch(session, address, Path("artifacts")).folder
    assert first == second
    assert (second / "model.onnx").read_bytes() == b"graph"
    assert [path.name for path in Path("artifacts/models").iterdir()] == [VERSION]


def test_found_parameters_take_the_place_of_the_search(
    cloud: Cloud, run: Any, tiny_model: Path, tmp_path: Path
) -> None:
    from training.search.space import fingerprint, search_space, space_to_json

    space = {"warmup": search_space(6)["warmup"]}
    best = {"parameters": {"warmup": 0.05}, "search_space": fingerprint(space_to_json(space))}
    (tmp_path / "best.json").write_text(json.dumps(best))
    cloud.deploy(SUCCEEDS)
    cloud.publish({"model.onnx": b"graph"})
    result = run("train", "--on", "aws", "--parameters", "best.json", "--data", "s3://elsewhere/reviews/")
    assert result.exit_code == 0, result.exception
    assert cloud.requests() == [
        {"hyperparameters": {"warmup": "0.05"}, "data_uri": "s3://elsewhere/reviews/", "search": False}
    ]


def test_a_failed_execution_is_its_cause_in_one_line(cloud: Cloud, run: Any) -> None:
    cause = "export: AlgorithmError: GateError: no quantized model is within 0.5 points, exit code: 3"
    cloud.deploy({"Type": "Fail", "Error": "TrainingFailed", "Cause": cause})
    result = run("train", "--on", "aws", "--trials", "0", "--data", "s3://elsewhere/reviews/")
    assert isinstance(result.exception, ExecutionError)
    assert str(result.exception) == f"the execution ended as FAILED: {cause}"
    assert not Path("artifacts").exists()


def test_a_damaged_artifact_changes_nothing(cloud: Cloud, run: Any) -> None:
    cloud.deploy(SUCCEEDS)
    cloud.publish({"model.onnx": b"graph", "tokenizer.json": b"{}"})
    cloud.s3.put_object(Bucket="artifacts", Key=f"models/{VERSION}/tokenizer.json", Body=b"{ }")
    result = run("train", "--on", "aws", "--data", "s3://elsewhere/reviews/")
    assert "is damaged: tokenizer.json has 3 bytes but its card says 2" in str(result.exception)
    assert list(Path("artifacts/models").iterdir()) == []
    assert not Path("artifacts/model").exists()


def test_what_is_not_deployed_is_named(cloud: Cloud, run: Any) -> None:
    result = run("train", "--on", "aws", "--data", "s3://elsewhere/reviews/")
    assert isinstance(result.exception, ConfigurationError)
    assert (
        "there is no stack sentiment-dev-training in eu-central-1; deploy it with `make deploy ENV=dev`"
        in str(result.exception)
    )


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        (["--max-length", "7"], ConfigError, "max_length"),
        (["--data", "gone.csv"], ConfigurationError, "gone.csv is not a file"),
        (["--model", "distilbert-base-uncased"], ConfigurationError, "cannot reach model"),
        (["--student-layers", "3", "--teacher", "x"], ConfigurationError, "leave out --teacher"),
        (["--resume"], ConfigurationError, "executions continue by themselves"),
        (["--env", "moon"], ConfigurationError, "no environment 'moon'; choose one of dev"),
    ],
)
def test_a_mistake_starts_nothing(
    cloud: Cloud, run: Any, options: list[str], kind: type[Exception], message: str
) -> None:
    cloud.deploy(SUCCEEDS)
    result = run("train", "--on", "aws", *options)
    assert isinstance(result.exception, kind)
    assert message in str(result.exception)
    assert cloud.requests() == []


def test_bad_rows_are_found_before_anything_is_uploaded(cloud: Cloud, run: Any, reviews_csv: Path) -> None:
    cloud.deploy(SUCCEEDS)
    shutil.copy(reviews_csv, "reviews.csv")
    with Path("reviews.csv").open("a") as file:
        file.write("A film.,\n")
    result = run("train", "--on", "aws", "--data", "reviews.csv")
    assert isinstance(result.exception, DataError)
    assert cloud.requests() == []
    assert "Contents" not in cloud.s3.list_objects_v2(Bucket="artifacts")


def test_options_of_one_place_are_refused_at_the_other(run: Any) -> None:
    assert run("train", "--trials", "3").exit_code == 2


def test_ctrl_c_leaves_the_execution_and_says_how_to_find_it(
    cloud: Cloud, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.deploy({"Type": "Wait", "Seconds": 3600, "End": True})
    monkeypatch.setattr("time.sleep", interrupt)
    result = run("train", "--on", "aws", "--data", "s3://elsewhere/reviews/")
    assert result.exit_code == 130
    assert "sentiment train --on aws --env dev --follow arn:aws:states" in result.output
    assert "aws stepfunctions stop-execution --region eu-central-1 --execution-arn arn:aws" in result.output
    assert len(cloud.requests()) == 1


def interrupt(_: float) -> None:
    raise KeyboardInterrupt


def test_a_local_system_that_runs_is_not_taken_for_aws(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch, run: Any
) -> None:
    folder = empty_folder / ".local" / "up"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    local = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "x", "QUEUE_URL": "http://local"}
    with owned_state(folder):
        write_environment(folder / "system.env", local)
        load_environment(None)
        assert os.environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
        unset_local_system()
        assert "AWS_ENDPOINT_URL" not in os.environ
        assert os.environ["AWS_ACCESS_KEY_ID"] == "mine"
