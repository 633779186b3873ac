"""The SageMaker training jobs that the state machine starts: what each runs on, reads, writes and may cost.

A request is written as one JSONata expression, because JSONata leaves out keys and elements that come to
nothing (a channel that is not there, a wait that only spot has), which a JSON template cannot.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# These bring disks of their own, encrypted by the machine, for which SageMaker refuses a key.
LOCAL_DISKS = ("ml.g4dn.", "ml.g5.", "ml.g6.", "ml.g6e.", "ml.p3dn.", "ml.p4d.", "ml.p5.", "ml.trn1.")


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training job: what it runs on and when it is stopped."""

    name: str  # as `python -m training.sagemaker.job` knows it
    instance_type: str
    max_seconds: int
    instances: int = 1
    volume_gb: int = 30
    spot_wait_seconds: int | None = None  # beyond max_seconds, to wait for spot capacity; None: on demand

    @property
    def label(self) -> str:
        """Return the name that people read, which job names and S3 prefixes carry too."""
        return self.name.replace("_", "-")


def expression(text: str) -> str:
    """Mark a JSONata expression as one."""
    return f"{{% {text} %}}"


def literal(value: Any) -> str:
    """Write data as JSONata, in which marked expressions stand for themselves."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    if isinstance(value, str) and value.startswith("{%"):
        return value.removeprefix("{%").removesuffix("%}").strip()
    return json.dumps(value)


def request(job: Job, channels: Sequence[tuple[str, str]], *, isolated: bool, mlflow: bool) -> dict[str, Any]:
    """Build the CreateTrainingJob request; a channel whose variable is null is left out.

    `isolated` jobs reach nothing but S3 through SageMaker, and each other.
    """
    present = [f"({uri} ? {literal(_channel(name, uri))})" for name, uri in channels]
    given = f"[{', '.join(present)}]"
    folder = f"'s3://${{Bucket}}/training/' & $states.context.Execution.Name & '/{job.label}"
    overrides = {"job": job.name} | ({"trials": expression("$trials")} if job.name == "search" else {})
    body: dict[str, Any] = {
        # Names are unique in an account and region for good, so each attempt gets its own.
        "TrainingJobName": expression(
            f"'${{Prefix}}-{job.label}-' & $now('[Y0001][M01][D01]-[H01][m01][s01]-[f001]')"
        ),
        "RoleArn": "${TrainingRole}",
        "AlgorithmSpecification": {"TrainingImage": "${Image}", "TrainingInputMode": "File"},
        "HyperParameters": expression(f"$merge([$hyperparameters, {literal(overrides)}])"),
        "InputDataConfig": expression(f"$count({given}) > 0 ? {given}"),
        "OutputDataConfig": {"S3OutputPath": expression(f"{folder}'"), "KmsKeyId": "${Key}"},
        "ResourceConfig": {
            "InstanceType": job.instance_type,
            "InstanceCount": job.instances,
            "VolumeSizeInGB": job.volume_gb,
            **({} if job.instance_type.startswith(LOCAL_DISKS) else {"VolumeKmsKeyId": "${Key}"}),
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": job.max_seconds},
        "EnableNetworkIsolation": isolated,
        "EnableInterContainerTrafficEncryption": job.instances > 1,
        "Tags": [{"Key": "execution", "Value": expression("$states.context.Execution.Name")}],
    }
    if mlflow:
        body["Environment"] = {"MLFLOW_TRACKING_URI": "${Mlflow}"}
    if job.spot_wait_seconds is not None:
        body["EnableManagedSpotTraining"] = expression("$spot")
        body["StoppingCondition"]["MaxWaitTimeInSeconds"] = expression(
            f"$spot ? {job.max_seconds + job.spot_wait_seconds}"
        )
        # The same folder for every attempt of an execution, so that the next goes on where the last was cut.
        body["CheckpointConfig"] = {
            "S3Uri": expression(f"{folder}/checkpoints'"),
            "LocalPath": "/opt/ml/checkpoints",
        }
    return body


def _channel(name: str, uri: str) -> dict[str, Any]:
    source = {
        "S3DataType": "S3Prefix",
        "S3Uri": expression(uri),
        "S3DataDistributionType": "FullyReplicated",
    }
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}
