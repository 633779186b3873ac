"""What the drift monitor reads beside where Postgres is."""

from functools import cache
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator
from sentiment.database.session import DatabaseSettings
from sentiment.settings import Settings, read_settings

SERVICE = "drift_monitor"  # how logs and metrics call this function


class JudgementSettings(Settings):
    """What makes a window drift, for whoever judges windows, with or without a database."""

    drift_threshold: float = Field(default=0.5, gt=0, lt=1, description="Share of features that may drift.")
    false_alarm_rate: float = Field(
        default=0.01, ge=0.005, le=0.2, description="Share of runs that may see any feature drift by chance."
    )


class DriftMonitorSettings(JudgementSettings, DatabaseSettings):
    """What is compared with what, when people are told, and what happens besides."""

    database_timeout_seconds: int = Field(default=60, ge=1)  # a month of predictions takes its time to count
    model_dir: Path = Field(description="The artifact whose reference.parquet traffic is compared with.")
    alert_topic_arn: str = Field(min_length=1)
    report_bucket: str = Field(min_length=3)
    window_hours: int = Field(default=24, ge=1, le=24 * 31)
    sufficient_rows: int = Field(
        default=500, ge=50, description="A shorter window will do when it holds so many."
    )
    minimum_rows: int = Field(default=200, ge=50, description="Fewer rows say too little to judge.")
    maximum_rows: int = Field(default=20_000, ge=1000, description="Larger windows are sampled.")
    persist_runs: int = Field(default=2, ge=1, description="So many of PERSIST_WINDOW runs must drift.")
    persist_window: int = Field(default=3, ge=1, le=48)
    alert_cooldown_hours: int = Field(default=6, ge=0, description="What came back is no news for so long.")
    on_drift: Literal["notify", "retrain"] = "notify"
    state_machine_arn: str | None = None
    retrain_cooldown_hours: int = Field(default=168, ge=1)
    retrain_minimum_labels: int = Field(
        default=200, ge=1, description="New labels that make a training worthwhile."
    )
    performance_hours: int = Field(default=168, ge=1, le=24 * 366, description="Whose labels count.")
    minimum_labels: int = Field(default=50, ge=1, description="Fewer labels say too little of accuracy.")
    performance_margin: float = Field(default=0.05, ge=0, lt=1, description="How much worse is bearable.")
    reports_url: str | None = Field(
        default=None, pattern=r"^https?://", description="Where /reports is served; else links are presigned."
    )
    report_link_hours: int = Field(
        default=12, ge=1, le=24 * 7, description="How long a presigned link works."
    )
    runbook_url: str = Field(default="docs/operations.md", min_length=1)

    @model_validator(mode="after")
    def require_state_machine(self) -> Self:
        """Refuse a policy that could not act when it has to."""
        if self.on_drift == "retrain" and not self.state_machine_arn:
            raise ValueError("STATE_MACHINE_ARN is required when ON_DRIFT is retrain")
        return self

    @model_validator(mode="after")
    def check_pairs(self) -> Self:
        """Refuse a window that could never be large enough, and alerts that could never be told."""
        if self.maximum_rows < self.minimum_rows:
            raise ValueError("MAXIMUM_ROWS must be at least MINIMUM_ROWS")
        if self.sufficient_rows < self.minimum_rows:
            raise ValueError("SUFFICIENT_ROWS must be at least MINIMUM_ROWS")
        if self.persist_runs > self.persist_window:
            raise ValueError("PERSIST_RUNS must be at most PERSIST_WINDOW")
        return self


@cache
def settings() -> DriftMonitorSettings:
    """Read the settings once; raises ConfigurationError naming what is missing."""
    return read_settings(DriftMonitorSettings)
