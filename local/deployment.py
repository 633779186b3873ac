"""The artefact that the local system serves: its card, and the row that makes it the champion."""

import getpass
import json
from pathlib import Path
from typing import Any
from uuid import UUID

from sentiment.database.models import ModelDeployment
from sentiment.database.repositories import active_deployment, record_deployment
from sentiment.database.session import transaction
from sentiment.exceptions import ModelError
from sqlalchemy import Engine


def read_card(model_dir: Path) -> dict[str, Any]:
    """Return the artefact's card; raises ModelError when there is none."""
    try:
        card: dict[str, Any] = json.loads((model_dir / "model.json").read_text())
    except FileNotFoundError:
        raise ModelError(
            f"there is no model in {model_dir}; train one with `sentiment train --quick`"
        ) from None
    except ValueError as error:
        raise ModelError(f"{model_dir / 'model.json'} is damaged ({error}); train again") from None
    return card


def record_champion(engine: Engine, model_dir: Path, card: dict[str, Any]) -> UUID:
    """Return the id of the champion's row for this artefact, made unless it is the active one already."""
    uri = model_dir.resolve().as_uri()
    with transaction(engine) as session:
        active = active_deployment(session)
        if active is None or (active.model_version, active.artefact_uri) != (card["model_version"], uri):
            active = ModelDeployment(
                deployment_type="champion",
                model_version=card["model_version"],
                metrics=card["metrics"],
                artefact_uri=uri,
                deployed_by=_person(),
            )
            record_deployment(session, active)
        return active.id


def _person() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "unknown"
