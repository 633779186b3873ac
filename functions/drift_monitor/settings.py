"""The drift monitor's settings."""

from functools import cache
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator
from sentiment.database.session import DatabaseSettings
from sentiment.settings import Settings, read_settings

SERVICE = "drift_monitor"  # its name in logs and metrics


class DetectionSettings(Settings):
    """When a window counts as drift; also used without a database."""

    drift_threshold: float = Field(default=0.5, gt=0, lt=1, description="Share of aspects that may drift.")
    false_alarm_rate: float = Field(
        default=0.01,
        ge=0.005,
        le=0.2,
        description="Share of windows that may see any feature drift by chance.",
    )


class DriftMonitorSettings(DetectionSettings, DatabaseSettings):
    """What is compared, when alerts are sent, and whether drift starts a retraining."""

    database_timeout_seconds: int = Field(default=60, ge=1)  # counting a month of predictions is slow
    model_dir: Path = Field(description="Artifact with the reference.parquet to compare with.")
    alert_topic_arn: str = Field(min_length=1)
    report_bucket: str = Field(min_length=3)
    window_hours: int = Field(default=24, ge=1, le=24 * 31)
    sufficient_rows: int = Field(
        default=500, ge=50, description="A shorter window is used once it has this many rows."
    )
    minimum_rows: int = Field(default=200, ge=50, description="Windows with fewer rows get no verdict.")
    maximum_rows: int = Field(default=20_000, ge=1000, description="Larger windows are sampled.")
    persist_runs: int = Field(default=2, ge=1, description="Runs of PERSIST_WINDOW that must drift.")
    persist_window: int = Field(default=3, ge=1, le=48)
    alert_cooldown_hours: int = Field(default=6, ge=0, description="No new alert this soon after the last.")
    on_drift: Literal["notify", "retrain"] = "notify"
    state_machine_arn: str | None = None
    retrain_cooldown_hours: int = Field(default=168, ge=1)
    retrain_minimum_labels: int = Field(
        default=200, ge=1, description="New labels required for a retraining."
    )
    performance_hours: int = Field(default=168, ge=1, le=24 * 366, description="Age of labels that count.")
    minimum_labels: int = Field(default=50, ge=1, description="With fewer labels, the estimate decides.")
    performance_margin: float = Field(default=0.05, ge=0, lt=1, description="Accepted loss of accuracy.")
    reports_url: str | None = Field(
        default=None,
        pattern=r"^https?://",
        description="Base URL of /reports; else links are presigned.",
    )
    report_link_hours: int = Field(default=12, ge=1, le=24 * 7, description="Lifetime of a presigned link.")
    runbook_url: str = Field(default="docs/operations.md", min_length=1)

    @model_validator(mode="after")
    def require_state_machine(self) -> Self:
        """Refuse a retraining policy without a state machine."""
        if self.on_drift == "retrain" and not self.state_machine_arn:
            raise ValueError("STATE_MACHINE_ARN is required when ON_DRIFT is retrain")
        return self

    @model_validator(mode="after")
    def check_pairs(self) -> Self:
        """Refuse windows that can never be large enough, and alerts that can never be sent."""
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
