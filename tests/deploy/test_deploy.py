"""A real deployment of dev with the CDK command line, to an AWS emulator, and tests of what was deployed.

Every function is the deployed one, with the role, variables and layers of its stack. The tests follow the
lifecycle of a deployment; the last one destroys it.
"""

import http.client
import json
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pg8000.native
import pytest
from sentiment.deployments import deployment_id_of

from local.processes import HOST, wait_until
from tests.deploy.assembly import UNSUPPORTED, Assembly
from tests.deploy.conftest import Deployment
from tests.deploy.emulator import REGION, emulated_types
from tests.deploy.inventory import take_inventory
from tests.drift_monitor.sample_data import Row, cut

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(1800)]

STACKS = ("data", "serving", "training", "monitoring", "web")
DELIVERY_SECONDS = 60.0
BATCH = 25
# Lambda creates these when CDK's own functions log; they belong to no stack.
CDK_LOG_GROUPS = ("AWSCDKTriggerCustomResource", "CustomS3AutoDeleteObjects")
MINIMUM_ROWS = 200  # that the drift monitor needs to judge a window


@pytest.fixture
def inbox(deployment: Deployment) -> Iterator[str]:
    """The URL of a queue that is subscribed to the alert topic, like an email address."""
    sqs, sns = deployment.emulator.client("sqs"), deployment.emulator.client("sns")
    url = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    topic = deployment.variables("drift_monitor")["ALERT_TOPIC_ARN"]
    made = sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=attributes["QueueArn"], ReturnSubscriptionArn=True
    )
    yield url
    sns.unsubscribe(SubscriptionArn=made["SubscriptionArn"])
    sqs.delete_queue(QueueUrl=url)


def test_the_list_of_unsupported_types_is_exact(synthesized: Path) -> None:
    assert Assembly(synthesized).types() - emulated_types() == set(UNSUPPORTED)


def test_every_stack_is_created(deployment: Deployment) -> None:
    described = deployment.emulator.client("cloudformation").describe_stacks()["Stacks"]

    states = {stack["StackName"]: stack["StackStatus"] for stack in described}
    assert {name: states.get(f"sentiment-dev-{name}") for name in STACKS} == dict.fromkeys(
        STACKS, "CREATE_COMPLETE"
    )


def test_migrations_created_the_logins(deployment: Deployment) -> None:
    logins = deployment.rds.rows(
        "SELECT rolname FROM pg_roles WHERE pg_has_role(rolname, 'rds_iam', 'usage') AND NOT rolsuper"
        " AND rolname <> 'administrator' AND rolname NOT LIKE 'rds%' AND rolname NOT LIKE 'pg%' ORDER BY 1"
    )
    assert [login for (login,) in logins] == ["drift_monitor", "log_writer", "registrar", "reports"]


def test_postgres_requires_an_iam_token(deployment: Deployment) -> None:
    tls = ssl.create_default_context(cafile=deployment.rds.certificate)
    with pytest.raises(pg8000.native.DatabaseError, match="the password of reports is not an IAM token"):
        pg8000.native.Connection(
            "reports",
            host="localhost",
            port=deployment.rds.port,
            database="sentiment",
            password="guessed",
            ssl_context=tls,
        )


def test_the_first_release_was_checked_and_recorded(deployment: Deployment) -> None:
    rows = deployment.rds.rows(
        "SELECT id, function_version FROM model_deployments WHERE deployment_type = 'champion' AND is_active"
    )

    assert [(str(id), version) for id, version in rows] == [(released_deployment_id(deployment), "1")]


def test_a_prediction_of_the_api_is_stored_in_postgres(deployment: Deployment) -> None:
    text = "A brilliant story, and a lovely ending."
    status, body = call(deployment, "POST", "/predict", {"text": text})
    assert status == 200, body

    query = "SELECT text, sentiment, deployment_id FROM prediction_logs WHERE id = :id"
    stored: list[list[Any]] = []
    assert wait_until(
        lambda: bool(stored.extend(deployment.rds.rows(query, id=body["prediction_id"])) or stored),
        seconds=DELIVERY_SECONDS,
        pause_seconds=0.5,
    )
    ((stored_text, sentiment, deployment_id),) = stored
    assert (stored_text, sentiment) == (text, body["sentiment"])
    assert str(deployment_id) == released_deployment_id(deployment)

    status, reported = call(deployment, "GET", f"/reports/predictions/{body['prediction_id']}")
    assert (status, reported["prediction"]["text"]) == (200, text)


def test_schedules_invoke_the_drift_monitor_and_the_traffic_counter(deployment: Deployment) -> None:
    scheduler = deployment.emulator.client("scheduler")
    named = [
        (schedule["GroupName"], schedule["Name"]) for schedule in scheduler.list_schedules()["Schedules"]
    ]
    schedules = [scheduler.get_schedule(GroupName=group, Name=name) for group, name in named]

    found = {
        (schedule["Target"]["Arn"].rpartition(":")[2], schedule["ScheduleExpression"])
        for schedule in schedules
    }
    drift_monitor, traffic_counter = map(deployment.function, ("drift_monitor", "traffic_counter"))
    assert found == {
        (drift_monitor, "rate(1 hour)"),
        (drift_monitor, "cron(30 2 * * ? *)"),
        (traffic_counter, "rate(1 hour)"),
    }


def test_counted_traffic_is_stored_in_postgres(deployment: Deployment) -> None:
    variables = deployment.variables("traffic_counter")
    at = datetime.now(UTC) - timedelta(hours=1, minutes=15)  # in the last complete hour
    for namespace, metric, dimension, value, count in (
        ("AWS/ApiGateway", "Count", ("ApiId", variables["HTTP_API_ID"]), 5, 1),
        ("AWS/ApiGateway", "4xx", ("ApiId", variables["HTTP_API_ID"]), 2, 1),
        (variables["POWERTOOLS_METRICS_NAMESPACE"], "RequestTime", ("service", "api"), 12.0, 5),
        (variables["POWERTOOLS_METRICS_NAMESPACE"], "InferenceTime", ("service", "api"), 9.0, 3),
    ):
        datum = {
            "MetricName": metric,
            "Dimensions": [{"Name": dimension[0], "Value": dimension[1]}],
            "Timestamp": at,
            "Value": value,
        }
        deployment.emulator.client("cloudwatch").put_metric_data(
            Namespace=namespace, MetricData=[datum] * count
        )

    counted = deployment.invoke("traffic_counter", {})

    assert (counted["requests"], counted["client_errors"], counted["predictions"]) == (5, 2, 3)
    query = "SELECT metrics FROM dataset_metrics WHERE dataset = 'api_traffic'"
    assert wait_until(
        lambda: [[counted]] == list(deployment.rds.rows(query)), seconds=DELIVERY_SECONDS, pause_seconds=0.5
    ), deployment.rds.rows(query)


def test_a_drift_run_sends_notifications(deployment: Deployment, reviews: list[Row], inbox: str) -> None:
    short = [row["text"] for row in cut(reviews[: MINIMUM_ROWS + BATCH], words=6)]
    for start in range(0, len(short), BATCH):
        status, body = call(deployment, "POST", "/predict/batch", {"texts": short[start : start + BATCH]})
        assert status == 200, body
    count = "SELECT count(*) FROM prediction_logs"
    assert wait_until(
        lambda: deployment.rds.rows(count)[0][0] > len(short), seconds=DELIVERY_SECONDS, pause_seconds=0.5
    )

    # Drift in one run may be chance: alerts are sent when a second run confirms it.
    deployment.invoke("drift_monitor", {})
    in_an_hour = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    outcome = deployment.invoke("drift_monitor", {"scheduled_at": in_an_hour})

    assert outcome["judged"] is True
    assert outcome["data_drift"]["drifted"] is True
    messages = deployment.emulator.client("sqs").receive_message(
        QueueUrl=inbox, MaxNumberOfMessages=10, WaitTimeSeconds=10
    )["Messages"]
    subjects = [json.loads(message["Body"])["Subject"] for message in messages]
    alerts = deployment.rds.rows("SELECT kind FROM monitoring_alerts WHERE notified_at IS NOT NULL")
    assert ["data_drift"] in alerts
    assert len(subjects) == len(alerts)
    bucket = deployment.variables("drift_monitor")["REPORT_BUCKET"]
    pages = deployment.emulator.client("s3").list_objects_v2(Bucket=bucket, Prefix="reports/")
    assert pages["KeyCount"] == 2


def test_destroy_removes_everything(deployment: Deployment) -> None:
    deployment.command_line.destroy(deployment.assembly)

    after = take_inventory(deployment.emulator)
    left = {kind: names - deployment.before[kind] for kind, names in after.items()}
    logs = left.pop("logs: log groups")
    assert {kind: names for kind, names in left.items() if names} == {}
    assert [name for name in logs if not any(part in name for part in CDK_LOG_GROUPS)] == []


def call(deployment: Deployment, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """Send a request through the emulated API Gateway; return status and response body."""
    host = urlsplit(
        deployment.outputs("serving")["ApiUrl"]
    ).netloc  # the emulator routes by this header; it is not resolved
    connection = http.client.HTTPConnection(HOST, deployment.emulator.port, timeout=60)
    headers = {"Host": host, "Content-Type": "application/json"}
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def released_deployment_id(deployment: Deployment) -> str:
    """Return the deployment id in predictions of the released version."""
    name = deployment.function("api")
    alias = deployment.emulator.client("lambda").get_alias(FunctionName=name, Name="live")
    return str(deployment_id_of(REGION, name, alias["FunctionVersion"]))
