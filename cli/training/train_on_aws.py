"""Train by the state machine of an environment: validate here, start it, follow it, fetch the artifact."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
from rich.console import Console


def train_on_aws(
    options: Mapping[str, Any], env: str, trials: int | None, execution: str | None
) -> list[str]:
    """Start an execution unless one is given, follow it and fetch the artifact; return the lines to print."""
    from cli.aws import executions, stacks
    from cli.env_vars import unset_local_system
    from training.commands import published
    from training.options import run_default
    from training.progress import RichProgress

    unset_local_system()
    session, artifacts = stacks.open_session(env), options["artifacts"] or run_default("artifacts")
    console = Console(stderr=True)
    with stacks.aws_errors():
        if execution is None:
            execution = _start(session, options, env, trials)
            console.print(f"started {execution}", highlight=False, soft_wrap=True)
        try:
            with RichProgress(console) as progress:
                done = executions.follow(session, execution, progress)
                progress(f"Fetching {done['model_version']}")
                return published(executions.fetch(session, done["artifact_uri"], artifacts), artifacts)
        except KeyboardInterrupt:
            console.print(
                "no longer following; the execution continues. Follow it again: sentiment train --on aws "
                f"--env {env} --follow {execution}\nStop it: aws stepfunctions stop-execution --region "
                f"{session.region_name} --execution-arn {execution}",
                highlight=False,
                soft_wrap=True,
            )
            raise typer.Exit(130) from None


def _start(session: Any, options: Mapping[str, Any], env: str, trials: int | None) -> str:
    """Validate the options and the data here, where a mistake costs nothing; then start."""
    from sentiment.exceptions import ConfigurationError

    from cli.aws import executions, stacks
    from training.commands import with_found_parameters
    from training.config import configure
    from training.data.prepare import prepare

    if options["resume"]:
        raise ConfigurationError("--resume is for runs on this machine; executions continue by themselves")
    data, model = options["data"] or "embedded", options["model"] or "embedded"
    stored = data if data.startswith("s3://") else None
    if not (data == "embedded" or stored or Path(data).is_file()):
        raise ConfigurationError(f"{data} is not a file; on AWS give embedded, a file or s3://…")
    if options["teacher"]:
        raise ConfigurationError("on AWS a job fine-tunes the teacher itself; leave out --teacher")
    if model != "embedded" and not executions.reaches_hub(env, model):
        raise ConfigurationError(
            f"the jobs of {env} cannot reach model {model!r}; use embedded, or a model of the hub and "
            "training_internet in cdk/environments.py"
        )
    extra: list[Path] = options["extra_data"] or []
    if len(extra) > 1:
        raise ConfigurationError("on AWS give --extra-data once: put the rows of all files into one")
    if not all(path.is_file() for path in extra):
        raise ConfigurationError(f"{extra[0]} is not a file; give one of extra rows")
    given = {
        name: value
        for name, value in with_found_parameters(options).items()
        if name not in {"artifacts", "cache", "resume"}
    }
    config = configure(**given | ({"data": "embedded"} if stored else {}))
    if not stored:
        prepare(config)

    def uploaded(file: Path) -> str:
        return executions.upload(session, stacks.stack_output(session, env, "data", "ArtifactBucket"), file)

    if data != "embedded" and not stored:
        stored = uploaded(Path(data))
    found = given.pop("parameters") or {}
    given = {name: value for name, value in given.items() if name not in {"data", "extra_data"}}
    recipe = found | {name: value for name, value in given.items() if value is not None}
    if not recipe["quick"]:
        del recipe["quick"]
    request: dict[str, Any] = {
        "hyperparameters": executions.hyperparameters(recipe),
        "data_uri": stored,
    }
    if extra:
        request["extra_data_uri"] = uploaded(extra[0])
    if found or trials == 0:
        request["search"] = False
    elif trials is not None:
        request["trials"] = str(trials)
    return executions.start(session, env, request)
