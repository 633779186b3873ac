"""Checks a version of the API before it receives traffic, and has every release recorded.

CodeDeploy calls it before it shifts traffic and waits for the verdict. The stack calls it after a deployment,
which checks and records the first version, for which no traffic is shifted. EventBridge calls it when
CodeDeploy stopped a release. CodeDeploy shifts the traffic, and the registrar writes to the database.
"""

import re
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext
from sentiment.deployments import deployment_id_of
from sentiment.logging import logger
from sentiment.registrar import Registrar

from functions.release_check.errors import ReleaseError
from functions.release_check.invocation import REGISTRAR_SECONDS, Deadline, invoke, lambda_client
from functions.release_check.settings import SERVICE, settings
from functions.release_check.verdict import check_version
from functions.release_check.version import ApiVersion
from functions.release_check.warm_up import warm_up

if TYPE_CHECKING:
    from mypy_boto3_codedeploy import CodeDeployClient

# In the AppSpec of a Lambda deployment, which may be JSON or YAML (CodeDeploy user guide, "AppSpec
# 'resources' section for AWS Lambda deployments").
TARGET = re.compile(r"\bTargetVersion\b[\"']?\s*:\s*[\"']?([1-9][0-9]*)")


@cache
def codedeploy() -> "CodeDeployClient":
    """Make the client once."""
    return boto3.client("codedeploy")


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Check and record a version and return the measurements.

    For CodeDeploy's hook, the verdict is reported to CodeDeploy and nothing is raised: a rejected version is
    a Failed hook with the reason in the log. For other events, ReleaseError makes the deployment of the stack
    fail.
    """
    deadline = Deadline.within(context.get_remaining_time_in_millis())
    if "LifecycleEventHookExecutionId" in event:
        return run_hook(event, deadline)
    if event.get("source") == "aws.codedeploy":
        return record_rollback(event["detail"], deadline)
    return confirm(settings().api_version_arn.rpartition(":")[2], deadline)


def confirm(number: str, deadline: Deadline) -> dict[str, Any]:
    """Check and record the version that a deployment of the stack released.

    After a rollback the stack still refers to a version without traffic, which is not recorded, because the
    row would be wrong. A version that passed CodeDeploy's hook is already recorded.
    """
    alias = lambda_client().get_alias(FunctionName=settings().api_function_name, Name=settings().api_alias)
    if alias["FunctionVersion"] != number:
        serving = alias["FunctionVersion"]
        logger(SERVICE).warning("version without traffic not recorded", version=number, serving=serving)
        return {"version": number, "serving": serving, "recorded": False}
    recorded = registrar(deadline).list_deployments()
    if any(row["id"] == _deployment_id(number) and row["is_active"] for row in recorded):
        # CodeDeploy's hook checked it before it had traffic; a second check could only reject a good version.
        return {"version": number, "recorded": True}
    return release(number, deadline)


def run_hook(event: dict[str, Any], deadline: Deadline) -> dict[str, Any]:
    """Report the verdict on the version that CodeDeploy is about to shift traffic to, whatever happens."""
    log, deployment_id = logger(SERVICE), event["DeploymentId"]
    status: Any = "Failed"
    result: dict[str, Any] = {}
    try:
        result = release(version_under_test(deployment_id), deadline)
        status = "Succeeded"
    except ReleaseError as error:
        name = type(error).__name__
        log.error("release rejected", deployment=deployment_id, error=name, reason=str(error))
    except Exception:
        log.exception("release check failed", deployment=deployment_id)
    codedeploy().put_lifecycle_event_hook_execution_status(
        deploymentId=deployment_id,
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status=status,
    )
    return {"status": status, **result}


def version_under_test(deployment_id: str) -> str:
    """Return the version that a deployment of CodeDeploy shifts traffic to."""
    deployment = codedeploy().get_deployment(deploymentId=deployment_id)["deploymentInfo"]
    revision = deployment.get("revision", {})
    content = revision.get("appSpecContent", revision.get("string", {})).get("content", "")
    found = TARGET.search(content)
    if found is None:
        raise ReleaseError(f"CodeDeploy's deployment {deployment_id} has no TargetVersion")
    return found[1]


def release(number: str, deadline: Deadline) -> dict[str, Any]:
    """Warm up, check and record one version; raises ReleaseError if it may not receive traffic."""
    version = ApiVersion(settings().api_function_name, number, deadline)
    warm = warm_up(version, calls=settings().warm_up_calls, warm_ms=settings().warm_call_ms)
    logger(SERVICE).info("warmed up", version=number, **asdict(warm))
    verdict = check_version(version, p95_budget_ms=settings().p95_budget_ms)
    deployment = {
        "id": _deployment_id(number),
        "deployment_type": "champion",
        "model_version": verdict.card["model_version"],
        "metrics": verdict.card.get("metrics", {}),
        "function_version": number,
        "deployed_by": settings().deployed_by,
        **version.image(),
    }
    registrar(deadline).record_deployment(deployment)
    result = {
        "version": number,
        "model_version": verdict.card["model_version"],
        "reviews": verdict.reviews,
        "fp32_disagreements": verdict.fp32_disagreements,
        "p95_ms": verdict.p95_ms,
        "warm": warm.warm,
    }
    logger(SERVICE).info("release accepted", **result)
    return result


def record_rollback(detail: dict[str, Any], deadline: Deadline) -> dict[str, Any]:
    """Have the registrar record that a release was stopped and traffic is back at the previous version."""
    alias = lambda_client().get_alias(FunctionName=settings().api_function_name, Name=settings().api_alias)
    deployment = {
        "function_version": alias["FunctionVersion"],
        "reason": f"CodeDeploy ended deployment {detail['deploymentId']} with {detail['state']}",
        "deployed_by": "CodeDeploy",
    }
    registrar(deadline).record_rollback(deployment)
    logger(SERVICE).warning("release stopped", extra=deployment)
    return deployment


def registrar(deadline: Deadline) -> Registrar:
    """Return the registrar's client; its methods raise ReleaseError when the registrar fails."""
    name = settings().registrar_function_name
    return Registrar(lambda event: invoke(name, event, deadline=deadline, seconds=REGISTRAR_SECONDS).content)


def _deployment_id(number: str) -> str:
    """Return the id that the API's version gives its predictions."""
    region = lambda_client().meta.region_name
    return str(deployment_id_of(region, settings().api_function_name, number))
