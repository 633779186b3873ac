"""Keeps traffic from a version of the API until it has proved itself, and has every release written down.

CodeDeploy calls it before it shifts traffic and waits for the verdict; the stack calls it after a deployment,
which is how the first version, that no traffic shifts to, is checked and recorded; EventBridge tells it of a
release that CodeDeploy gave up. Moving traffic is CodeDeploy's, the database the registrar's.
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
from functions.release_check.verdict import judge
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
    """Check and record a version and return what was measured.

    For CodeDeploy's hook the verdict is also reported there, and nothing is raised: a refused version is a
    Failed hook with the reason in the log. Any other event raises ReleaseError for it, so that the deployment
    of the stack fails.
    """
    deadline = Deadline.within(context.get_remaining_time_in_millis())
    if "LifecycleEventHookExecutionId" in event:
        return answer_hook(event, deadline)
    if event.get("source") == "aws.codedeploy":
        return record_return(event["detail"], deadline)
    return confirm(settings().api_version_arn.rpartition(":")[2], deadline)


def confirm(number: str, deadline: Deadline) -> dict[str, Any]:
    """Check and record a version that a deployment of the stack has put in front of traffic.

    After a rollback the stack still believes in a version that has no traffic; that one is left alone, for a
    row about it would say what is not so. One that CodeDeploy's hook let through is on record already.
    """
    alias = lambda_client().get_alias(FunctionName=settings().api_function_name, Name=settings().api_alias)
    if alias["FunctionVersion"] != number:
        serving = alias["FunctionVersion"]
        logger(SERVICE).warning("not recorded, since it has no traffic", version=number, serving=serving)
        return {"version": number, "serving": serving, "recorded": False}
    recorded = registrar(deadline).list_deployments()
    if any(row["id"] == _deployment_id(number) and row["is_active"] for row in recorded):
        # CodeDeploy's hook judged it before it had traffic; a second look could only take a good one back.
        return {"version": number, "recorded": True}
    return release(number, deadline)


def answer_hook(event: dict[str, Any], deadline: Deadline) -> dict[str, Any]:
    """Give CodeDeploy the verdict on the version that it is about to shift traffic to, whatever happens."""
    log, deployment_id = logger(SERVICE), event["DeploymentId"]
    status: Any = "Failed"
    done: dict[str, Any] = {}
    try:
        done = release(version_under_test(deployment_id), deadline)
        status = "Succeeded"
    except ReleaseError as error:
        log.error("release refused", deployment=deployment_id, reason=str(error))
    except Exception:
        log.exception("release refused, because checking it failed", deployment=deployment_id)
    codedeploy().put_lifecycle_event_hook_execution_status(
        deploymentId=deployment_id,
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status=status,
    )
    return {"status": status, **done}


def version_under_test(deployment_id: str) -> str:
    """Ask CodeDeploy where a deployment moves the alias to."""
    deployment = codedeploy().get_deployment(deploymentId=deployment_id)["deploymentInfo"]
    revision = deployment.get("revision", {})
    content = revision.get("appSpecContent", revision.get("string", {})).get("content", "")
    found = TARGET.search(content)
    if found is None:
        raise ReleaseError(f"CodeDeploy's deployment {deployment_id} does not say which version it releases")
    return found[1]


def release(number: str, deadline: Deadline) -> dict[str, Any]:
    """Warm, judge and record one version; raises ReleaseError when it may not have traffic."""
    version = ApiVersion(settings().api_function_name, number, deadline)
    warmth = warm_up(version, calls=settings().warm_up_calls, warm_ms=settings().warm_call_ms)
    logger(SERVICE).info("warmed up", version=number, **asdict(warmth))
    verdict = judge(version, p95_budget_ms=settings().p95_budget_ms)
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
    done = {
        "version": number,
        "model_version": verdict.card["model_version"],
        "reviews": verdict.reviews,
        "fp32_disagreements": verdict.fp32_disagreements,
        "p95_ms": verdict.p95_ms,
        "warm": warmth.warm,
    }
    logger(SERVICE).info("release accepted", **done)
    return done


def record_return(detail: dict[str, Any], deadline: Deadline) -> dict[str, Any]:
    """Have it written down that a release was given up and traffic is back where it was."""
    alias = lambda_client().get_alias(FunctionName=settings().api_function_name, Name=settings().api_alias)
    deployment = {
        "function_version": alias["FunctionVersion"],
        "reason": f"CodeDeploy ended deployment {detail['deploymentId']} with {detail['state']}",
        "deployed_by": "CodeDeploy",
    }
    registrar(deadline).record_rollback(deployment)
    logger(SERVICE).warning("release given up", extra=deployment)
    return deployment


def registrar(deadline: Deadline) -> Registrar:
    """Return the registrar's client; its methods raise ReleaseError when the registrar fails."""
    name = settings().registrar_function_name
    return Registrar(lambda event: invoke(name, event, deadline=deadline, seconds=REGISTRAR_SECONDS).content)


def _deployment_id(number: str) -> str:
    """Return the id that the API's version gives its predictions."""
    region = lambda_client().meta.region_name
    return str(deployment_id_of(region, settings().api_function_name, number))
