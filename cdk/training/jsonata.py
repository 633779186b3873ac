"""JSONata, the query language of the state machine: how expressions and data are written in it."""

import json
from typing import Any


def expression(text: str) -> str:
    """Mark a JSONata expression as one."""
    return f"{{% {text} %}}"


def literal(value: Any) -> str:
    """Write data as JSONata; marked expressions in it are inserted as they are."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    if isinstance(value, str) and value.startswith("{%"):
        return value.removeprefix("{%").removesuffix("%}").strip()
    return json.dumps(value)
