"""The serving stack: authorization, rate limits, the queue before Postgres, and permissions."""

import json
from dataclasses import replace
from typing import Any

import pytest

from cdk.environments import ENVIRONMENTS, Environment
from cdk.function_config import MAX_RECEIVES
from tests.fixtures.templates import (
    PLAIN,
    RICH,
    Template,
    find,
    function,
    referenced,
    resources,
    statements,
    synthesize,
)

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


def properties(environment: Environment, folder: str) -> dict[str, Any]:
    return function(synthesize(environment), "Serving", folder).properties


def actions(environment: Environment, folder: str) -> set[str]:
    """Return the actions that a function's own policy allows."""
    stacks = synthesize(environment)
    role = referenced(stacks, "Serving", properties(environment, folder)["Role"])
    [policy] = [
        policy.properties
        for policy in find(stacks, "Serving", "AWS::IAM::Policy")
        if referenced(stacks, "Serving", policy.properties["Roles"]) == role
    ]
    return {
        action
        for statement in policy["PolicyDocument"]["Statement"]
        for action in (
            statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        )
    }


@GUARDED
def test_every_route_but_health_requires_a_token_with_its_scope(name: str) -> None:
    for key, route in routes(ENVIRONMENTS[name]).items():
        if key == "GET /health":
            assert route["AuthorizationType"] == "NONE"
        else:
            assert route["AuthorizationType"] == "JWT"
            [scope] = route["AuthorizationScopes"]
            assert scope.removeprefix("sentiment/") in {"predict", "feedback", "reports", "operate"}


@GUARDED
def test_only_machine_clients_with_a_secret_get_tokens_and_sign_up_is_disabled(name: str) -> None:
    template = serving(ENVIRONMENTS[name])
    [client] = resources(template, "AWS::Cognito::UserPoolClient")
    assert client["AllowedOAuthFlows"] == ["client_credentials"]
    assert client["GenerateSecret"] is True
    [pool] = resources(template, "AWS::Cognito::UserPool")
    assert pool["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}
    [authorizer] = resources(template, "AWS::ApiGatewayV2::Authorizer")
    assert authorizer["JwtConfiguration"]["Audience"]


def test_users_sign_in_on_the_page_by_authorization_code_without_a_client_secret() -> None:
    template = serving(RICH)
    clients = template.find_resources("AWS::Cognito::UserPoolClient")
    [page] = [c["Properties"] for c in clients.values() if c["Properties"]["AllowedOAuthFlows"] == ["code"]]
    assert page["GenerateSecret"] is False
    assert page["CallbackURLs"] == page["LogoutURLs"] == ["https://sentiment.example.com/"]
    assert page["PreventUserExistenceErrors"] == "ENABLED"
    [authorizer] = resources(template, "AWS::ApiGatewayV2::Authorizer")
    assert authorizer["JwtConfiguration"]["Audience"] == [{"Ref": name} for name in clients]


def test_dev_requires_no_token() -> None:
    assert ENVIRONMENTS["dev"].authorize is False
    assert {route["AuthorizationType"] for route in routes(ENVIRONMENTS["dev"]).values()} == {"NONE"}
    serving(ENVIRONMENTS["dev"]).resource_count_is("AWS::Cognito::UserPool", 0)


@ALL
def test_every_route_has_its_own_rate_limit_and_expensive_routes_a_lower_one(
    environment: Environment,
) -> None:
    [stage] = resources(serving(environment), "AWS::ApiGatewayV2::Stage")
    limits = {key: setting["ThrottlingRateLimit"] for key, setting in stage["RouteSettings"].items()}
    assert limits.keys() == routes(environment).keys()
    assert limits["POST /predict"] == environment.requests_per_second
    assert limits["POST /explain"] < limits["POST /predict/batch"] < limits["POST /predict"]
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] < environment.requests_per_second


@ALL
def test_a_stage_is_created_after_the_routes_that_it_limits(environment: Environment) -> None:
    template = serving(environment)
    [stage] = template.find_resources("AWS::ApiGatewayV2::Stage").values()
    assert set(template.find_resources("AWS::ApiGatewayV2::Route")) <= set(stage["DependsOn"])


@ALL
def test_requests_go_to_the_live_alias_and_are_logged_without_text(environment: Environment) -> None:
    template = serving(environment)
    stacks = synthesize(environment)
    targets = {
        target
        for integration in resources(template, "AWS::ApiGatewayV2::Integration")
        for target in referenced(stacks, "Serving", integration["IntegrationUri"])
    }
    [alias] = find(stacks, "Serving", "AWS::Lambda::Alias")
    assert targets == {alias, function(stacks, "Serving", "reports")}
    api = function(stacks, "Serving", "api")
    assert referenced(stacks, "Serving", alias.properties["FunctionName"]) == [api]
    [stage] = resources(template, "AWS::ApiGatewayV2::Stage")
    logged = json.loads(stage["AccessLogSettings"]["Format"])
    assert {"requestId", "routeKey", "status", "integrationLatency"} <= logged.keys()
    assert "body" not in json.dumps(logged).lower()


def test_cors_allows_the_environments_origins_only() -> None:
    [api] = resources(serving(VARIANT), "AWS::ApiGatewayV2::Api")
    assert api["CorsConfiguration"]["AllowOrigins"] == ["https://app.example.com"]
    [plain] = resources(serving(ENVIRONMENTS["prod"]), "AWS::ApiGatewayV2::Api")
    assert "CorsConfiguration" not in plain


@ALL
def test_queues_are_encrypted_require_tls_and_have_a_dead_letter_queue(
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
    [queue] = [each for each in queues if "RedrivePolicy" in each]
    assert queue["RedrivePolicy"]["maxReceiveCount"] == MAX_RECEIVES == 5
    assert {queue["MessageRetentionPeriod"] for queue in queues} == {14 * 24 * 3600}


@ALL
def test_the_writer_has_a_concurrency_limit_and_reports_partial_batch_failures(
    environment: Environment,
) -> None:
    template = serving(environment)
    [mapping] = resources(template, "AWS::Lambda::EventSourceMapping")
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": environment.writer_concurrency}
    assert mapping["BatchSize"] == environment.writer_batch
    assert mapping["MaximumBatchingWindowInSeconds"] == environment.writer_window_seconds
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    [queue] = [each for each in resources(template, "AWS::SQS::Queue") if "RedrivePolicy" in each]
    assert queue["VisibilityTimeout"] >= 6 * properties(environment, "log_writer")["Timeout"]


@ALL
def test_the_api_can_send_and_store_unsent_records_but_not_read_or_reach_the_vpc(
    environment: Environment,
) -> None:
    template = serving(environment)
    assert "VpcConfig" not in properties(environment, "api")
    assert {each for each in actions(environment, "api") if each.startswith(("sqs:", "s3:"))} == {
        "sqs:SendMessage",
        "sqs:GetQueueAttributes",
        "s3:PutObject",
        "s3:ListBucket",
    }
    puts = [statement for statement in statements(template) if statement["Action"] == "s3:PutObject"]
    assert all("/unsent/*" in json.dumps(statement["Resource"]) for statement in puts)


def test_each_environment_has_its_start_strategy() -> None:
    assert "SnapStart" not in properties(ENVIRONMENTS["dev"], "api")
    assert properties(ENVIRONMENTS["staging"], "api")["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    [target] = resources(serving(ENVIRONMENTS["prod"]), "AWS::ApplicationAutoScaling::ScalableTarget")
    capacities = {
        action["Schedule"]: action["ScalableTargetAction"]["MinCapacity"]
        for action in target["ScheduledActions"]
    }
    assert capacities == {"cron(0 6 * * ? *)": 2, "cron(0 20 * * ? *)": 0}
    [alias] = resources(serving(VARIANT), "AWS::Lambda::Alias")
    assert alias["ProvisionedConcurrencyConfig"] == {"ProvisionedConcurrentExecutions": 3}


def test_the_template_contains_the_arn_of_the_hash_key_and_not_the_key() -> None:
    variables = properties(VARIANT, "api")["Environment"]["Variables"]
    assert variables["PRIVACY_MODE"] == "hashed"
    assert "Ref" in variables["INPUT_HASH_KEY_SECRET_ARN"]
    assert "INPUT_HASH_KEY" not in variables
    [secret] = resources(serving(VARIANT), "AWS::SecretsManager::Secret")
    assert secret["GenerateSecretString"]["PasswordLength"] == 64


def test_an_environment_can_reserve_concurrency_for_the_api() -> None:
    assert properties(VARIANT, "api")["ReservedConcurrentExecutions"] == 50
    assert "ReservedConcurrentExecutions" not in properties(ENVIRONMENTS["dev"], "api")


def test_the_previous_version_is_retained_for_rollbacks() -> None:
    versions = [
        version
        for template in (synthesize(PLAIN)["Serving"], synthesize(RICH)["Serving"])
        for version in template.find_resources("AWS::Lambda::Version").values()
    ]
    kept = [version for version in versions if version.get("DeletionPolicy") == "Retain"]
    assert len(kept) == 2, "one version of the API in each environment"


def test_reports_can_read_the_drift_monitors_pages_and_write_nothing() -> None:
    """Its presigned links need its own permission to read."""
    template = serving(PLAIN)
    (reads,) = [s for s in statements(template) if s["Action"] == "s3:GetObject"]
    assert "/reports/*" in json.dumps(reads["Resource"])
    assert "REPORT_BUCKET" in properties(PLAIN, "reports")["Environment"]["Variables"]
    allowed = actions(PLAIN, "reports")
    assert "kms:Decrypt" in allowed
    assert not {action for action in allowed if action.startswith(("s3:Put", "s3:Delete", "kms:Generate"))}


def test_reports_has_a_concurrency_limit_in_staging() -> None:
    assert properties(RICH, "reports")["ReservedConcurrentExecutions"] == 10
