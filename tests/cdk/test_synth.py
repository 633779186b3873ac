"""All stacks: synth is clean and offline, no setting is missing, no secret is in a template."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_sqs as sqs
from pydantic_settings import BaseSettings
from sentiment.database.session import DatabaseSettings

from cdk.app import add_checks, chosen_environment, make_app
from cdk.costs.idle import summary
from cdk.environments import ENVIRONMENTS, Environment
from cdk.paths import ROOT
from functions.api.settings import ApiSettings
from functions.drift_monitor.settings import DriftMonitorSettings
from functions.migrations.settings import MigrationsSettings
from functions.registrar.settings import RegistrarSettings
from functions.release_check.settings import ReleaseCheckSettings
from functions.reports.settings import ReportsSettings
from functions.slack_notifier.settings import SlackNotifierSettings
from functions.traffic_counter.settings import TrafficCounterSettings
from tests.fixtures.templates import synthesize

ALL = pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=lambda environment: environment.name)
SETTINGS: dict[str, type[BaseSettings]] = {
    "api": ApiSettings,
    "drift_monitor": DriftMonitorSettings,
    "log_writer": DatabaseSettings,
    "migrations": MigrationsSettings,
    "registrar": RegistrarSettings,
    "release_check": ReleaseCheckSettings,
    "reports": ReportsSettings,
    "slack_notifier": SlackNotifierSettings,
    "traffic_counter": TrafficCounterSettings,
}
SET_BY_LAMBDA = {"AWS_REGION"}
READ_BY_LIBRARIES = {
    *("LOG_LEVEL", "POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_SERVICE_NAME", "DO_NOT_TRACK"),
}


def functions(environment: Environment) -> dict[str, dict[str, Any]]:
    """Return the properties of our own functions by folder."""
    return {
        resource["Properties"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]: resource["Properties"]
        for template in synthesize(environment).values()
        for resource in template.find_resources("AWS::Lambda::Function").values()
        if "POWERTOOLS_SERVICE_NAME" in json.dumps(resource)
    }


@ALL
def test_every_required_setting_is_a_variable_of_its_function(environment: Environment) -> None:
    made = functions(environment)
    assert made.keys() | {"slack_notifier"} == SETTINGS.keys()
    for folder, properties in made.items():
        fields = SETTINGS[folder].model_fields
        required = {name.upper() for name, field in fields.items() if field.is_required()}
        variables = properties["Environment"]["Variables"].keys()
        assert required - SET_BY_LAMBDA <= variables, folder
        assert variables <= {name.upper() for name in fields} | READ_BY_LIBRARIES, folder


@ALL
def test_functions_have_the_environments_architecture_tracing_and_log_retention(
    environment: Environment,
) -> None:
    for folder, properties in functions(environment).items():
        assert properties["Architectures"] == [environment.architecture], folder
        mode = "Active" if environment.trace else "PassThrough"
        assert properties["TracingConfig"] == {"Mode": mode}, folder
        assert "LogGroup" in properties["LoggingConfig"], folder
    for template in synthesize(environment).values():
        for id, group in template.find_resources("AWS::Logs::LogGroup").items():
            if not id.startswith("CustomCDKBucketDeployment"):
                assert group["Properties"]["RetentionInDays"] == environment.log_retention_days, id


@ALL
def test_no_template_contains_a_secret(environment: Environment) -> None:
    for template in synthesize(environment).values():
        text = json.dumps(template.to_json())
        assert not re.search(r"AKIA[0-9A-Z]{16}|-----BEGIN|hooks\.slack\.com", text)
        assert "{{resolve:secretsmanager" not in text  # would put the value into a resource
        for properties in (r.get("Properties", {}) for r in template.to_json()["Resources"].values()):
            variables = properties.get("Environment", {}).get("Variables", {})
            secret = re.compile(r"PASSWORD|TOKEN|SECRET(?!_ARN)|_KEY$")
            assert not [name for name in variables if secret.search(name)]


@ALL
def test_only_the_database_and_endpoints_are_billed_by_the_hour(environment: Environment) -> None:
    """`sentiment cost` has a line for each."""
    hourly = re.compile(
        r"AWS::(EC2::(Instance|NatGateway)|ECS::|EKS::|ElasticLoadBalancing|SageMaker::(Endpoint|Notebook)"
        r"|RDS::DBProxy|ElastiCache|OpenSearch|Redshift)"
    )
    types = {
        resource["Type"]
        for template in synthesize(environment).values()
        for resource in template.to_json()["Resources"].values()
    }
    assert not [type for type in types if hourly.match(type)]
    assert {"AWS::RDS::DBInstance", "AWS::EC2::VPCEndpoint"} <= types


@pytest.mark.slow
@ALL
def test_synth_is_clean_by_cdk_nag_and_cfn_lint(environment: Environment) -> None:
    stacks = synthesize(environment)  # raises what cdk-nag finds
    assert f"{environment.name} costs about $" in summary(environment)
    assert len(stacks) == (6 if environment.waf else 5)
    lint = subprocess.run(
        [
            str(Path(sys.executable).with_name("cfn-lint")),
            *(str(template.path) for template in stacks.values()),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert lint.returncode == 0, lint.stdout


@pytest.mark.slow
def test_the_command_synthesizes_what_the_tests_read_without_credentials(tmp_path: Path) -> None:
    environment, out = ENVIRONMENTS["staging"], tmp_path / "cdk.out"
    variables = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    variables |= {"CDK_OUTDIR": str(out), "CDK_CONTEXT_JSON": json.dumps({"env": environment.name})}
    synth = subprocess.run(
        [sys.executable, "-m", "cdk.app"], cwd=ROOT, env=variables, capture_output=True, text=True
    )
    assert synth.returncode == 0, synth.stderr
    assert f"{environment.name} costs about $" in synth.stderr
    written = {
        path.name.partition(".")[0]: json.loads(path.read_text()) for path in out.glob("*.template.json")
    }
    assert written == {stack: template.to_json() for stack, template in synthesize(environment).items()}


def test_a_finding_of_cdk_nag_fails_synth(tmp_path: Path) -> None:
    app = make_app(tmp_path / "cdk.out")
    sqs.Queue(cdk.Stack(app, "Careless"), "Queue")
    add_checks(app)
    with pytest.raises(RuntimeError, match="AwsSolutions-SQS4"):
        app.synth()


def test_an_unknown_environment_is_rejected_with_the_known_ones() -> None:
    with pytest.raises(SystemExit, match="-c env=production: choose one of dev, staging, prod"):
        chosen_environment(make_app(env="production"))
