"""`sentiment predict`: classify a text with a running system."""

import json
import urllib.error
import urllib.request
from typing import Annotated

import typer
from rich.console import Console
from sentiment.exceptions import ConfigurationError, SentimentError
from sentiment.limits import MAX_CHARACTERS


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog='Example: [bold]sentiment predict "A film to remember."[/]')(predict)


def predict(
    text: Annotated[str, typer.Argument(help=f"1 to {MAX_CHARACTERS:,} characters.")],
    url: Annotated[
        str, typer.Option(envvar="SENTIMENT_URL", help="Address of a running system.")
    ] = "http://localhost:8000",
    timeout_seconds: Annotated[float, typer.Option(min=0.1, help="Time to wait for the response.")] = 30.0,
) -> None:
    """Classify a text with a running system. The prediction is stored like any other."""
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(f"{url} is not an address; it must begin with http:// or https://")
    body = json.dumps({"text": text, "return_probabilities": True}).encode()
    request = urllib.request.Request(  # noqa: S310 - checked above
        f"{url.rstrip('/')}/predict", data=body, headers={"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout_seconds) as response:  # noqa: S310
            prediction = json.load(response)
    except urllib.error.HTTPError as error:
        raise SentimentError(f"{url} returned {error.code}: {_error_message(error.read())}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise SentimentError(f"{url} cannot be reached ({reason}); start it with `sentiment up`") from None
    shares = ", ".join(f"{label} {share:.1%}" for label, share in prediction["probabilities"].items())
    Console().print(f"[bold]{prediction['sentiment']}[/] ({shares})", highlight=False)
    milliseconds, version = prediction["inference_time_ms"], prediction["model_version"]
    note = ", truncated" if prediction["truncated"] else ""
    Console().print(
        f"[dim]{prediction['prediction_id']}, {milliseconds:.0f} ms, {version}{note}[/]",
        highlight=False,
        soft_wrap=True,
    )


def _error_message(body: bytes) -> str:
    try:
        payload = json.loads(body)
    except ValueError:
        return body.decode(errors="replace")[:200]
    if "error" in payload:
        return str(payload["error"].get("message", payload["error"]))
    detail = payload.get("detail", payload)
    return (
        "; ".join(str(item.get("msg", item)) for item in detail) if isinstance(detail, list) else str(detail)
    )
