"""What differs between dev, staging and prod, and nothing else; no stack depends on an environment's name.

Comments give the cost or risk of a keyword where it is not obvious. Edit the values: alert addresses, the
Slack secret and the CORS origins are your own.
"""

from dataclasses import dataclass
from typing import Literal

Architecture = Literal["arm64", "x86_64"]
StartStrategy = Literal["plain", "snapstart", "provisioned"]


@dataclass(frozen=True, kw_only=True)
class Environment:
    """One deployment of the system; the defaults are the cheapest that keep the design's guarantees."""

    name: str
    region: str = "eu-central-1"
    keep_data: bool = False  # True: database, bucket and key outlive the stacks and refuse deletion
    alert_emails: tuple[str, ...] = ()  # SNS sends each a confirmation request
    monthly_budget_dollars: int = 50
    log_retention_days: int = 30
    # A Secrets Manager secret or SecureString parameter with the Slack webhook's URL, under an AWS managed
    # key; None: no notifier.
    slack_webhook_secret_arn: str | None = None

    # Database and network. An interface endpoint costs about $8.76 a month for each service and zone.
    database_class: str = "t4g.micro"
    database_storage_gb: int = 20
    database_max_storage_gb: int = 100
    multi_az: bool = False  # doubles what the database costs
    backup_days: int = 7
    endpoint_zones: int = 1
    retention_months: int = 13  # of predictions

    # API
    architecture: Architecture = "arm64"  # 20% cheaper; needs a machine that can build arm64 images
    api_memory_mb: int = 1769  # one whole vCPU
    api_concurrency: int | None = None  # reserved; None shares the account's
    authorize: bool = True  # require a JWT of the Cognito user pool on every route but /health
    # X-Ray samples the first request of each second: nearly all of a million a month, for $5 a million. Logs,
    # messages and rows have a correlation id without it.
    trace: bool = False
    cors_origins: tuple[str, ...] = ()  # not needed for the project's own page, which is same-origin
    privacy_mode: Literal["full", "redacted", "hashed"] = "full"
    requests_per_second: int = 50  # to /predict; the limits of the other routes are shares of it
    p95_budget_ms: int = 1000  # of warm responses, checked before a version gets traffic
    p99_budget_ms: int = 3000  # of all responses, cold starts included; over it, a release rolls back

    # How instances start: snapstart costs cached GB-seconds and restores, provisioned costs every hour.
    start: StartStrategy = "plain"
    provisioned_instances: int = 1
    # Hours (UTC) between which instances are provisioned; None provisions them all day.
    provisioned_hours: tuple[int, int] | None = None
    canary: Literal["all_at_once", "10_percent_5_minutes", "10_percent_15_minutes"] = "10_percent_5_minutes"

    # Reserved concurrency of reports; each instance has a Postgres connection. A new account may have only
    # ten instances in total. None: limited by the throttle of its routes alone.
    reports_concurrency: int | None = None

    # Log writer
    writer_concurrency: int = 2  # also its limit of Postgres connections
    writer_batch: int = 100
    writer_window_seconds: int = 5

    # Drift
    drift_every_hours: int = 1
    on_drift: Literal["notify", "retrain"] = "notify"  # retrain adds a Step Functions endpoint to the network

    # Training. Seconds and dollars are limits of each job, which is stopped at the first one it reaches.
    training_instance: str = "ml.g5.xlarge"
    training_instances: int = 1  # above one, torchrun distributes fine-tuning
    export_instance: str = "ml.m5.xlarge"
    training_spot: bool = True
    training_spot_wait_seconds: int = 2 * 3600  # beyond the limit; then the job continues on demand
    training_internet: bool = False  # True lets jobs download models and data sets from the Hugging Face Hub
    training_max_seconds: int = 4 * 3600
    training_max_dollars: float = 10.0
    training_schedule: str | None = None  # EventBridge Scheduler expression, such as "rate(30 days)"
    managed_mlflow: bool = False  # AWS::SageMaker::MlflowApp

    # Web. The page's host, which sign-in needs: your own domain, with its certificate in us-east-1, or the
    # distribution's domain name, which the first deployment prints.
    web_domain: str | None = None
    web_certificate_arn: str | None = None
    waf: bool = True  # about $9 a month: the web ACL, a rate limit and three managed rule groups
    web_requests_per_5_minutes: int = 2000  # from one IP address

    @property
    def namespace(self) -> str:
        """Return the CloudWatch namespace of the functions' metrics, which no other environment uses."""
        return f"ServerlessSentiment/{self.name}"


ENVIRONMENTS: dict[str, Environment] = {
    "dev": Environment(
        name="dev",
        authorize=False,
        waf=False,
        canary="all_at_once",
        backup_days=1,
        log_retention_days=7,
        retention_months=3,
        requests_per_second=10,
        p95_budget_ms=2000,
        p99_budget_ms=10_000,
        monthly_budget_dollars=60,
        training_instance="ml.m5.xlarge",
        training_max_seconds=2 * 3600,
        training_max_dollars=2.0,
    ),
    "staging": Environment(
        name="staging",
        start="snapstart",
        reports_concurrency=10,
        monthly_budget_dollars=120,
    ),
    "prod": Environment(
        name="prod",
        keep_data=True,
        start="provisioned",
        provisioned_instances=2,
        provisioned_hours=(6, 20),
        canary="10_percent_15_minutes",
        database_class="t4g.small",
        database_storage_gb=50,
        database_max_storage_gb=500,
        multi_az=True,
        endpoint_zones=2,
        backup_days=30,
        log_retention_days=90,
        requests_per_second=200,
        p95_budget_ms=500,
        reports_concurrency=20,
        writer_concurrency=10,
        monthly_budget_dollars=400,
        training_max_dollars=40.0,
    ),
}
