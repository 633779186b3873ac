"""The serving stack: who may call what how often, and a queue before Postgres that loses nothing."""

import json
from dataclasses import replace
from typing import Any

import pytest
from aws_cdk.assertions import Template

from cdk.environments import ENVIRONMENTS, Environment
from cdk.function_config import MAX_RECEIVES
from tests.fixtures.templates import PLAIN, RICH, resources, statements, synthesize

ALL = pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=lambda environment: environment.name)
GUARDED = pytest.mark.parametrize("name", ["staging", "prod"])
VARIANT = replace(
    ENVIRONMENTS["dev"],
    cors_origins=("https://app.example.com",),
    privacy_mode="hashed",
    api_concurrency=50,
    start="provisioned",
    provisioned_instances=3,
    provisioned_hours=None,
)


def serving(environment: Environment) -> Template:
    return synthesize(environment)["Serving"]


def routes(environment: Environment) -> dict[str, dict[str, Any]]:
    return {route["RouteKey"]: route for route in resources(serving(environment), "AWS::ApiGatewayV2::Route")}


def function(template: Template, folder: str) -> dict[str, Any]:
    [found] = [
        properties
        for properties in resources(template, "AWS::Lambda::Function")
        if properties.get("Environment", {}).get("Variables", {}).get("POWERTOOLS_SERVICE_NAME") == folder
    ]
    return found


@GUARDED
def test_every_route_but_health_asks_for_a_token_with_its_scope(name: str) -> None:
    for key, route in routes(ENVIRONMENTS[name]).items():
        if key == "GET /health":
            assert route["AuthorizationType"] == "NONE"
        else:
            assert route["AuthorizationType"] == "JWT"
            [scope] = route["AuthorizationScopes"]
            assert scope.removeprefix("sentiment/") in {"predict", "feedback", "reports", "operate"}


@GUARDED
def test_only_a_machine_with_a_secret_gets_tokens_and_nobody_signs_up(name: str) -> None:
    template = serving(ENVIRONMENTS[name])
    [client] = resources(template, "AWS::Cognito::UserPoolClient")
    assert client["AllowedOAuthFlows"] == ["client_credentials"]
    assert client["GenerateSecret"] is True
    [pool] = resources(template, "AWS::Cognito::UserPool")
    assert pool["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}
    [authorizer] = resources(template, "AWS::ApiGatewayV2::Authorizer")
    assert authorizer["JwtConfiguration"]["Audience"]


def test_people_sign_in_from_the_page_of_a_domain_by_code_and_keep_no_secret() -> None:
    template = serving(RICH)
    clients = template.find_resources("AWS::Cognito::UserPoolClient")
    [page] = [c["Properties"] for c in clients.values() if c["Properties"]["AllowedOAuthFlows"] == ["code"]]
    assert page["GenerateSecret"] is False
    assert page["CallbackURLs"] == page["LogoutURLs"] == ["https://sentiment.example.com/"]
    assert page["PreventUserExistenceErrors"] == "ENABLED"
    [authorizer] = resources(template, "AWS::ApiGatewayV2::Authorizer")
    assert authorizer["JwtConfiguration"]["Audience"] == [{"Ref": name} for name in clients]


def test_dev_needs_no_token_by_its_keyword() -> None:
    assert ENVIRONMENTS["dev"].authorize is False
    assert {route["AuthorizationType"] for route in routes(ENVIRONMENTS["dev"]).values()} == {"NONE"}
    serving(ENVIRONMENTS["dev"]).resource_count_is("AWS::Cognito::UserPool", 0)


@ALL
def test_every_route_has_limits_of_its_own_and_expensive_ones_lower(environment: Environment) -> None:
    [stage] = resources(serving(environment), "AWS::ApiGatewayV2::Stage")
    limits = {key: setting["ThrottlingRateLimit"] for key, setting in stage["RouteSettings"].items()}
    assert limits.keys() == routes(environment).keys()
    assert limits["POST /predict"] == environment.requests_per_second
    assert limits["POST /explain"] < limits["POST /predict/batch"] < limits["POST /predict"]
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] < environment.requests_per_second


@ALL
def test_a_stage_comes_after_the_routes_that_it_limits(environment: Environment) -> None:
    template = serving(environment)
    [stage] = template.find_resources("AWS::ApiGatewayV2::Stage").values()
    assert set(template.find_resources("AWS::ApiGatewayV2::Route")) <= set(stage["DependsOn"])


@ALL
def test_calls_go_to_the_live_version_and_are_logged_without_texts(environment: Environment) -> None:
    template = serving(environment)
    used = {
        name: json.dumps(integration["IntegrationUri"])
        for name in ("Live", "Reports")
        for integration in resources(template, "AWS::ApiGatewayV2::Integration")
        if name in json.dumps(integration["IntegrationUri"])
    }
    assert used.keys() == {"Live", "Reports"}
    [stage] = resources(template, "AWS::ApiGatewayV2::Stage")
    logged = json.loads(stage["AccessLogSettings"]["Format"])
    assert {"requestId", "routeKey", "status", "integrationLatency"} <= logged.keys()
    assert "body" not in json.dumps(logged).lower()


def test_browsers_may_call_from_the_environments_origins_alone() -> None:
    [api] = resources(serving(VARIANT), "AWS::ApiGatewayV2::Api")
    assert api["CorsConfiguration"]["AllowOrigins"] == ["https://app.example.com"]
    [plain] = resources(serving(ENVIRONMENTS["prod"]), "AWS::ApiGatewayV2::Api")
    assert "CorsConfiguration" not in plain


@ALL
def test_queues_are_encrypted_take_tls_only_and_hand_poison_to_the_dead_letters(
    environment: Environment,
) -> None:
    template = serving(environment)
    queues = resources(template, "AWS::SQS::Queue")
    assert all(queue["SqsManagedSseEnabled"] is True for queue in queues)
    assert len(resources(template, "AWS::SQS::QueuePolicy")) == len(queues)
    for policy in resources(template, "AWS::SQS::QueuePolicy"):
        assert {"Bool": {"aws:SecureTransport": "false"}} in [
            statement.get("Condition") for statement in policy["PolicyDocument"]["Statement"]
        ]
    [facts] = [queue for queue in queues if "RedrivePolicy" in queue]
    assert facts["RedrivePolicy"]["maxReceiveCount"] == MAX_RECEIVES == 5
    assert {queue["MessageRetentionPeriod"] for queue in queues} == {14 * 24 * 3600}


@ALL
def test_the_writer_is_capped_batched_and_reports_single_failures(environment: Environment) -> None:
    template = serving(environment)
    [mapping] = resources(template, "AWS::Lambda::EventSourceMapping")
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": environment.writer_concurrency}
    assert mapping["BatchSize"] == environment.writer_batch
    assert mapping["MaximumBatchingWindowInSeconds"] == environment.writer_window_seconds
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    [facts] = [queue for queue in resources(template, "AWS::SQS::Queue") if "RedrivePolicy" in queue]
    assert facts["VisibilityTimeout"] >= 6 * function(template, "log_writer")["Timeout"]


@ALL
def test_the_api_may_queue_and_put_aside_but_neither_read_nor_reach_the_network(
    environment: Environment,
) -> None:
    template = serving(environment)
    assert "VpcConfig" not in function(template, "api")
    [policy] = [
        policy
        for policy in template.find_resources("AWS::IAM::Policy").values()
        if "ApiRole" in json.dumps(policy["Properties"]["Roles"])
    ]
    actions = {
        action
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        for action in (
            statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        )
    }
    assert {action for action in actions if action.startswith(("sqs:", "s3:"))} == {
        "sqs:SendMessage",
        "sqs:GetQueueAttributes",
        "s3:PutObject",
        "s3:ListBucket",
    }
    puts = [statement for statement in statements(template) if statement["Action"] == "s3:PutObject"]
    assert all("/unsent/*" in json.dumps(statement["Resource"]) for statement in puts)


def test_each_environment_starts_its_instances_as_it_says() -> None:
    dev, staging, prod = (serving(ENVIRONMENTS[name]) for name in ("dev", "staging", "prod"))
    assert "SnapStart" not in function(dev, "api")
    assert function(staging, "api")["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    [target] = resources(prod, "AWS::ApplicationAutoScaling::ScalableTarget")
    ready = {
        action["Schedule"]: action["ScalableTargetAction"]["MinCapacity"]
        for action in target["ScheduledActions"]
    }
    assert ready == {"cron(0 6 * * ? *)": 2, "cron(0 20 * * ? *)": 0}
    [alias] = resources(serving(VARIANT), "AWS::Lambda::Alias")
    assert alias["ProvisionedConcurrencyConfig"] == {"ProvisionedConcurrentExecutions": 3}


def test_private_text_is_hashed_with_a_key_that_only_its_secret_knows() -> None:
    variables = function(serving(VARIANT), "api")["Environment"]["Variables"]
    assert variables["PRIVACY_MODE"] == "hashed"
    assert "Ref" in variables["INPUT_HASH_KEY_SECRET_ARN"]
    assert "INPUT_HASH_KEY" not in variables
    [secret] = resources(serving(VARIANT), "AWS::SecretsManager::Secret")
    assert secret["GenerateSecretString"]["PasswordLength"] == 64


def test_an_environment_can_reserve_concurrency_for_the_api() -> None:
    assert function(serving(VARIANT), "api")["ReservedConcurrentExecutions"] == 50
    assert "ReservedConcurrentExecutions" not in function(serving(ENVIRONMENTS["dev"]), "api")


def test_the_last_version_outlives_the_next_so_that_a_rollback_finds_it() -> None:
    versions = [
        version
        for template in (synthesize(PLAIN)["Serving"], synthesize(RICH)["Serving"])
        for version in template.find_resources("AWS::Lambda::Version").values()
    ]
    kept = [version for version in versions if version.get("DeletionPolicy") == "Retain"]
    assert len(kept) == 2, "one version of the API in each environment"


def test_reports_reads_the_drift_monitor_s_pages_and_writes_nothing() -> None:
    """The links that it signs open what its own role may read."""
    template = serving(PLAIN)
    (reads,) = [s for s in statements(template) if s["Action"] == "s3:GetObject"]
    assert "/reports/*" in json.dumps(reads["Resource"])
    assert "REPORT_BUCKET" in function(template, "reports")["Environment"]["Variables"]
    policies = template.find_resources("AWS::IAM::Policy")
    (own,) = [policy for name, policy in policies.items() if name.startswith("ReportsRole")]
    actions = {
        action
        for statement in own["Properties"]["PolicyDocument"]["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    assert "kms:Decrypt" in actions
    assert not {action for action in actions if action.startswith(("s3:Put", "s3:Delete", "kms:Generate"))}


def test_reports_cannot_take_all_connections_where_data_is_real() -> None:
    functions = resources(synthesize(RICH)["Serving"], "AWS::Lambda::Function")
    (reports,) = [each for each in functions if "functions.reports" in str(each.get("Handler"))]
    assert reports["ReservedConcurrentExecutions"] == 10
