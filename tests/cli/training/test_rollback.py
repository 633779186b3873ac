"""`sentiment rollback` and `deployments` with the real registrar function on Postgres."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from moto import mock_aws
from sentiment.exceptions import ConfigurationError
from sqlalchemy import Engine

import functions.registrar.handler as registrar
from cli.aws.stacks import AwsError
from cli.training import rollback
from cli.training.rollback import RollbackError
from tests.fixtures.lambda_service import LambdaService, running_lambda_service
from tests.fixtures.postgres import database, migrated_template, postgres

__all__ = ["database", "migrated_template", "postgres"]

REGION = "eu-central-1"
SERVING = {"ApiFunction": "api", "ReleaseApplication": "releases", "ReleaseGroup": "group"}
DATA = {"RegistrarFunction": "registrar"}
WHY = ("--why", "responses became slow")


@dataclass
class Cloud:
    """The prod environment with three released versions, of which the third serves."""

    service: LambdaService

    @property
    def alias(self) -> dict[str, Any]:
        return self.service.aliases["api:live"]

    @property
    def traffic(self) -> tuple[str, dict[str, float]]:
        routing = self.alias.get("RoutingConfig") or {}
        return self.alias["FunctionVersion"], routing.get("AdditionalVersionWeights", {})

    def release(self, version: str) -> None:
        deployment = {
            "model_version": f"2026110{version}-0f0f0f0f",
            "image_uri": "repository/api@sha256:0f",
            "function_version": version,
            "deployed_by": "pipeline",
        }
        registrar.handler({"action": "record_deployment", "deployment": deployment}, None)  # type: ignore[arg-type]
        self.service.functions[f"api:{version}"] = lambda event: {}
        self.alias["FunctionVersion"] = version

    def start_canary(self, version: str) -> None:
        """Start a release: it is recorded, and the new version receives a tenth of the traffic."""
        serving = self.alias["FunctionVersion"]
        self.release(version)
        self.alias["FunctionVersion"] = serving
        self.alias["RoutingConfig"] = {"AdditionalVersionWeights": {version: 0.1}}
        self.service.deployments["d-RUNNING"] = {"status": "InProgress"}

    def history(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = registrar.handler({"action": "list_deployments"}, None)["deployments"]  # type: ignore[arg-type]
        return listed


@pytest.fixture
def stacks(database: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """CloudFormation and others by moto, Lambda and CodeDeploy by a fake service, and a real Postgres."""
    for name, value in [("ACCESS_KEY_ID", "x"), ("SECRET_ACCESS_KEY", "x"), ("DEFAULT_REGION", REGION)]:
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("ARTIFACT_BUCKET", "artifacts")
    monkeypatch.setenv("ALERT_TOPIC_ARN", "arn:aws:sns:eu-central-1:123456789012:alerts")
    with mock_aws():
        registrar.s3.cache_clear()
        location = {"LocationConstraint": REGION}
        boto3.client("s3").create_bucket(Bucket="artifacts", CreateBucketConfiguration=location)
        yield boto3.client("cloudformation")
    registrar.s3.cache_clear()


def deploy(cloudformation: Any, name: str, outputs: dict[str, str]) -> None:
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {key: {"Value": value} for key, value in outputs.items()},
    }
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template))


@pytest.fixture
def cloud(stacks: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    deploy(stacks, "sentiment-prod-serving", SERVING)
    deploy(stacks, "sentiment-prod-data", DATA)
    with running_lambda_service() as service:
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", service.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_CODEDEPLOY", service.url)
        service.functions["registrar"] = lambda event: registrar.handler(event, None)  # type: ignore[arg-type]
        service.aliases["api:live"] = {"Name": "live", "FunctionVersion": "1"}
        cloud = Cloud(service)
        for version in ("1", "2", "3"):
            cloud.release(version)
        yield cloud


def test_traffic_moves_to_the_last_good_version_and_the_rollback_is_recorded(cloud: Cloud, run: Any) -> None:
    result = run("rollback", "--env", "prod", *WHY, "--yes")
    assert result.exit_code == 0, result.exception
    assert "traffic at version 3 goes to version 2 (model 20261102-0f0f0f0f)" in result.output
    assert cloud.traffic == ("2", {})
    active, *_ = cloud.history()
    assert (active["function_version"], active["is_active"]) == ("2", True)
    assert active["reason"] == "responses became slow"
    assert active["deployed_by"].startswith("arn:aws:sts::123456789012:")


def test_a_second_rollback_skips_the_version_that_was_rolled_back(cloud: Cloud, run: Any) -> None:
    for _ in range(2):
        assert run("rollback", "--env", "prod", *WHY, "--yes").exit_code == 0
    assert cloud.traffic == ("1", {})
    result = run("rollback", "--env", "prod", *WHY, "--yes")
    assert isinstance(result.exception, ConfigurationError)
    assert "no champion before version 1 is recorded to roll back to" in str(result.exception)
    assert cloud.traffic == ("1", {})


def test_a_version_can_be_named(cloud: Cloud, run: Any) -> None:
    assert run("rollback", "--env", "prod", "--to", "1", *WHY, "--yes").exit_code == 0
    assert cloud.traffic == ("1", {})


def test_a_dry_run_shows_the_plan_and_changes_nothing(cloud: Cloud, run: Any) -> None:
    before = (cloud.traffic, cloud.history())
    result = run("rollback", "--env", "prod", *WHY, "--dry-run")
    assert "traffic at version 3 goes to version 2" in result.output
    assert (cloud.traffic, cloud.history()) == before


def test_without_yes_it_asks_for_confirmation(cloud: Cloud, run: Any) -> None:
    result = run("rollback", "--env", "prod", *WHY)
    assert "Move all traffic of prod to version 2?" in result.output
    assert result.exit_code == 1
    assert cloud.traffic == ("3", {})


def test_a_release_in_progress_is_stopped_and_loses_its_share_of_the_traffic(cloud: Cloud, run: Any) -> None:
    cloud.start_canary("4")
    result = run("rollback", "--env", "prod", *WHY, "--yes")
    assert result.exit_code == 0, result.exception
    assert "traffic at version 3, 10% at version 4 goes to version 3" in result.output
    assert "stops deployment d-RUNNING" in result.output
    assert cloud.service.stopped == ["d-RUNNING"]
    assert cloud.traffic == ("3", {})
    assert [row["function_version"] for row in cloud.history()][:2] == ["3", "4"]


def test_a_release_before_its_check_is_stopped_and_traffic_stays(cloud: Cloud, run: Any) -> None:
    cloud.service.deployments["d-RUNNING"] = {"status": "InProgress"}
    assert run("rollback", "--env", "prod", *WHY, "--yes").exit_code == 0
    assert cloud.service.stopped == ["d-RUNNING"]
    assert cloud.traffic == ("3", {})
    assert len(cloud.history()) == 3, "nothing was released, so there is no rollback to record"


def test_a_release_that_does_not_stop_leaves_the_alias_alone(
    cloud: Cloud, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollback, "STOP_SECONDS", 0.0)
    cloud.start_canary("4")

    class Stubborn(dict[str, Any]):
        def __setitem__(self, key: str, value: Any) -> None:
            """Keep the old status."""

    cloud.service.deployments["d-RUNNING"] = Stubborn(status="InProgress")
    result = run("rollback", "--env", "prod", *WHY, "--yes")
    assert isinstance(result.exception, RollbackError)
    assert "d-RUNNING does not stop" in str(result.exception)
    assert cloud.traffic == ("3", {"4": 0.1})


def test_a_rollback_that_was_not_recorded_is_completed_by_repeating_it(cloud: Cloud, run: Any) -> None:
    real = cloud.service.functions["registrar"]

    def failing(event: dict[str, Any]) -> Any:
        if event["action"] == "record_rollback":
            raise RuntimeError("Postgres cannot be reached")
        return real(event)

    cloud.service.functions["registrar"] = failing
    result = run("rollback", "--env", "prod", *WHY, "--yes")
    assert isinstance(result.exception, RollbackError)
    assert "version 2 serves all traffic, but the rollback is not recorded" in str(result.exception)
    assert "repeat this command with --to 2" in str(result.exception)
    assert cloud.traffic == ("2", {})

    cloud.service.functions["registrar"] = real
    result = run("rollback", "--env", "prod", "--to", "2", *WHY, "--yes")
    assert "version 2 already serves all traffic; this will be recorded" in result.output
    assert cloud.history()[0]["function_version"] == "2"


def test_a_completed_rollback_is_not_repeated(cloud: Cloud, run: Any) -> None:
    before = cloud.history()
    result = run("rollback", "--env", "prod", "--to", "3", *WHY, "--yes")
    assert result.exit_code == 0
    assert "version 3 already serves all traffic" in result.output
    assert cloud.history() == before


def test_an_unknown_or_deleted_version_is_an_error_before_traffic_moves(cloud: Cloud, run: Any) -> None:
    result = run("rollback", "--env", "prod", "--to", "9", *WHY, "--yes")
    assert "version 9 was never recorded as a champion" in str(result.exception)
    del cloud.service.functions["api:2"]
    result = run("rollback", "--env", "prod", *WHY, "--yes")
    assert isinstance(result.exception, ConfigurationError)
    assert "version 2 of api was deleted" in str(result.exception)
    assert cloud.traffic == ("3", {})


def test_a_reason_is_required(cloud: Cloud, run: Any) -> None:
    assert run("rollback", "--env", "prod", "--yes").exit_code == 2
    assert run("rollback", "--env", "prod", "--why", " ", "--yes").exit_code == 2


def test_the_history_lists_who_deployed_and_the_reason(cloud: Cloud, run: Any) -> None:
    run("rollback", "--env", "prod", *WHY, "--yes")
    output = run("deployments", "--env", "prod").output
    assert "responses became slow" in output
    assert "pipeline" in output
    assert output.count("active") == 1


def test_an_environment_without_deployments_is_reported(cloud: Cloud, run: Any) -> None:
    cloud.service.functions["registrar"] = lambda event: {"deployments": []}
    assert "no deployment of prod is recorded" in run("deployments", "--env", "prod").output


def test_a_missing_stack_is_named_with_the_command_that_deploys_it(stacks: Any, run: Any) -> None:
    result = run("rollback", "--env", "staging", *WHY, "--yes")
    assert isinstance(result.exception, ConfigurationError)
    assert "there is no stack sentiment-staging-serving" in str(result.exception)
    assert "make deploy ENV=staging" in str(result.exception)


def test_an_unknown_environment_is_named(stacks: Any, run: Any) -> None:
    result = run("deployments", "--env", "production")
    assert "no environment 'production'; choose one of dev, staging, prod" in str(result.exception)


def test_missing_credentials_are_a_one_line_error(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "nowhere")
    result = run("rollback", "--env", "prod", *WHY, "--yes")
    assert isinstance(result.exception, AwsError)
    assert "Unable to locate credentials" in str(result.exception)
