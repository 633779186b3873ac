"""The HTTP API: its routes, their rate limits and scopes, and the access log.

A path that is not in ROUTES gets a 404 before any function runs. GET /model/golden is not in it: only the
release check needs it, and that invokes the function directly.
"""

import json
from typing import NamedTuple

import aws_cdk as cdk
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from constructs import Construct

from cdk.acknowledgments import acknowledge
from cdk.environments import Environment
from cdk.retention import log_group
from cdk.serving.identity import RESOURCE_SERVER, Identity

CORRELATION_HEADER = "x-correlation-id"


class Route(NamedTuple):
    """One route: `share` is its share of the environment's requests per second, `scope` the token's."""

    method: str
    path: str
    function: str
    share: float
    scope: str | None


ROUTES = (
    Route("POST", "/predict", "api", 1, "predict"),
    Route("POST", "/predict/batch", "api", 0.2, "predict"),
    Route("POST", "/explain", "api", 0.1, "predict"),
    Route("POST", "/predictions/{prediction_id}/feedback", "api", 0.5, "feedback"),
    Route("GET", "/health", "api", 0.2, None),
    Route("GET", "/model", "api", 0.2, "operate"),
    Route("GET", "/metrics", "api", 0.1, "operate"),
    Route("GET", "/docs", "api", 0.1, "operate"),
    Route("GET", "/redoc", "api", 0.1, "operate"),
    Route("GET", "/openapi.json", "api", 0.1, "operate"),
    Route("GET", "/reports/{proxy+}", "reports", 0.2, "reports"),
)
# The caller's address is logged for investigations, for as long as the log is kept. User text never is.
ACCESS_LOG_FIELDS = {
    "requestId": "$context.requestId",
    "requestTime": "$context.requestTime",
    "sourceIp": "$context.identity.sourceIp",
    "client": "$context.authorizer.claims.client_id",
    "routeKey": "$context.routeKey",
    "status": "$context.status",
    "responseLength": "$context.responseLength",
    "responseLatency": "$context.responseLatency",
    "integrationLatency": "$context.integrationLatency",
    "integrationError": "$context.integrationErrorMessage",
    "authorizerError": "$context.authorizer.error",
}


class Gateway(Construct):
    """The HTTP API with its only stage."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        environment: Environment,
        functions: dict[str, lambda_.IFunction],
        identity: Identity | None,
    ) -> None:
        super().__init__(scope, id)
        self.api = apigateway.HttpApi(
            self,
            "Api",
            create_default_stage=False,
            cors_preflight=_cors(environment.cors_origins) if environment.cors_origins else None,
        )
        self.stage = apigateway.HttpStage(
            self,
            "Stage",
            http_api=self.api,
            stage_name="$default",
            auto_deploy=True,
            detailed_metrics_enabled=True,
            throttle=_throttle(environment, 0.1),
        )
        integrations = {
            name: HttpLambdaIntegration(f"To{name.title()}", function) for name, function in functions.items()
        }
        resource = self.stage.node.default_child
        assert isinstance(resource, apigateway.CfnStage)  # noqa: S101
        resource.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=log_group(self, "AccessLog", environment).log_group_arn,
            format=json.dumps(ACCESS_LOG_FIELDS),
        )
        for route in ROUTES:
            required = identity if route.scope else None
            [added] = self.api.add_routes(
                path=route.path,
                methods=[apigateway.HttpMethod[route.method]],
                integration=integrations[route.function],
                authorizer=required.authorizer if required else None,
                authorization_scopes=[f"{RESOURCE_SERVER}/{route.scope}"] if required else None,
            )
            limits = _throttle(environment, route.share)
            key = f"{route.method} {route.path}".replace(
                ".", "\\."
            )  # a dot without a backslash would end the key
            resource.add_property_override(
                f"RouteSettings.{key}",
                {
                    "DetailedMetricsEnabled": True,
                    "ThrottlingBurstLimit": limits.burst_limit,
                    "ThrottlingRateLimit": limits.rate_limit,
                },
            )
            resource.node.add_dependency(added)  # a stage cannot limit a route that does not exist yet
            if not route.scope or not identity:
                acknowledge(added, {"AwsSolutions-APIG4": _reason_for_no_authorizer(route, environment)})


def _cors(origins: tuple[str, ...]) -> apigateway.CorsPreflightOptions:
    return apigateway.CorsPreflightOptions(
        allow_origins=list(origins),
        allow_methods=[apigateway.CorsHttpMethod.GET, apigateway.CorsHttpMethod.POST],
        allow_headers=["authorization", "content-type", CORRELATION_HEADER],
        expose_headers=[CORRELATION_HEADER],
        max_age=cdk.Duration.minutes(10),
    )


def _throttle(environment: Environment, share: float) -> apigateway.ThrottleSettings:
    rate = max(1, round(environment.requests_per_second * share))
    return apigateway.ThrottleSettings(rate_limit=rate, burst_limit=2 * rate)


def _reason_for_no_authorizer(route: Route, environment: Environment) -> str:
    if route.scope:
        return f"{environment.name} has no real data; staging and prod require a token on this route."
    return "Health checks have no token, and the response contains nothing else."
