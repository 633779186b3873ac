"""The SageMaker training jobs of the state machine: instances, inputs, outputs, and limits.

A request is one JSONata expression, because JSONata omits keys and elements without a value (a channel that
is not given, the wait for spot capacity of an on-demand job). A JSON template cannot.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cdk.training.jsonata import expression, literal

# These have local disks, encrypted by the hardware, for which SageMaker does not accept a key.
LOCAL_DISK_INSTANCES = (
    "ml.g4dn.",
    "ml.g5.",
    "ml.g6.",
    "ml.g6e.",
    "ml.p3dn.",
    "ml.p4d.",
    "ml.p5.",
    "ml.trn1.",
)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training job: its instances and when it is stopped."""

    name: str  # the hyperparameter `job` of `python -m training.sagemaker.job`
    instance_type: str
    max_seconds: int
    instances: int = 1
    volume_gb: int = 30
    spot_wait_seconds: int | None = None  # beyond max_seconds, to wait for spot capacity; None: on demand

    @property
    def label(self) -> str:
        """Return the name as it appears in messages, job names and S3 prefixes."""
        return self.name.replace("_", "-")


def job_request(
    job: Job, channels: Sequence[tuple[str, str]], *, isolated: bool, mlflow: bool
) -> dict[str, Any]:
    """Build the CreateTrainingJob request; a channel whose variable is null is omitted.

    `isolated` jobs have no network except to each other; SageMaker copies from and to S3 for them.
    """
    optional = [f"({uri} ? {literal(_channel(name, uri))})" for name, uri in channels]
    available = f"[{', '.join(optional)}]"
    folder = f"'s3://${{Bucket}}/training/' & $states.context.Execution.Name & '/{job.label}"
    overrides = {"job": job.name} | ({"trials": expression("$trials")} if job.name == "search" else {})
    body: dict[str, Any] = {
        # A name can never be used again in an account and region, so each attempt gets its own.
        "TrainingJobName": expression(
            f"'${{Prefix}}-{job.label}-' & $now('[Y0001][M01][D01]-[H01][m01][s01]-[f001]')"
        ),
        "RoleArn": "${TrainingRole}",
        "AlgorithmSpecification": {"TrainingImage": "${Image}", "TrainingInputMode": "File"},
        "HyperParameters": expression(f"$merge([$hyperparameters, {literal(overrides)}])"),
        "InputDataConfig": expression(f"$count({available}) > 0 ? {available}"),
        "OutputDataConfig": {"S3OutputPath": expression(f"{folder}'"), "KmsKeyId": "${Key}"},
        "ResourceConfig": {
            "InstanceType": job.instance_type,
            "InstanceCount": job.instances,
            "VolumeSizeInGB": job.volume_gb,
            **({} if job.instance_type.startswith(LOCAL_DISK_INSTANCES) else {"VolumeKmsKeyId": "${Key}"}),
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
        # The same folder for every attempt of an execution, so the next resumes where the last stopped.
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
