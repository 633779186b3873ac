"""The web page on the laptop, as CloudFront serves it from S3: built files, one entry for every place in it.

The rules are those of cdk/web/stack.py and cdk/edge, the headers the same file's. Nobody signs in here.
"""

import json
import mimetypes
from functools import cached_property
from pathlib import Path
from typing import Any

from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response

ROOT = Path(__file__).resolve().parents[2] / "web"
BUILT = ROOT / "dist"
PREFIX = "/api"  # what lies below is the functions', which know their routes without it
# The places that the browser routes (web/src/App.tsx). The API answers at its bare paths too, for curl.
PLACES = ("/", "/batch", "/review", "/watch", "/card")
FILES = ("/assets/", "/favicon.svg")
MISSING = (
    "The page is not built: `make web` does it, with Node.js 20 or newer. The API answers anyway: /docs.\n"
)
CONFIG = {"sign_in": None}
YEAR_SECONDS = 365 * 24 * 3600


class WebPage:
    """The built page in a folder; a page that was not built says how to."""

    def __init__(self, folder: Path = BUILT) -> None:
        self.folder = folder

    @cached_property
    def headers(self) -> dict[str, str]:
        """Return what every answer carries, as in the cloud but for TLS."""
        security: dict[str, Any] = json.loads((ROOT / "security.json").read_text())
        policy = "; ".join(f"{name} {value}" for name, value in security["content_security_policy"].items())
        return {
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "same-origin",
            **security["headers"],
        }

    def answer(self, path: str) -> Response | None:
        """Return the page's answer to GET of a path, None when the path is not the page's."""
        if path == "/config.json":
            return JSONResponse(CONFIG, headers={**self.headers, "Cache-Control": "no-store"})
        if path in PLACES:
            return self._file(self.folder / "index.html", "no-cache") or PlainTextResponse(
                MISSING, status_code=404
            )
        if path.startswith(FILES):
            return self._file(
                self.folder / path.lstrip("/"), f"max-age={YEAR_SECONDS}, immutable"
            ) or PlainTextResponse("no such file", status_code=404)
        return None

    def _file(self, path: Path, cache: str) -> Response | None:
        path = path.resolve()
        if not path.is_relative_to(self.folder.resolve()) or not path.is_file():
            return None
        kind = mimetypes.guess_type(path.name)[0]
        return FileResponse(path, media_type=kind, headers={**self.headers, "Cache-Control": cache})
