"""The web page on the laptop, as CloudFront serves it from S3: built files, and index.html for its routes.

The rules are those of cdk/web/stack.py and cdk/edge, and the headers come from the same file. There is no
sign-in here.
"""

import json
import mimetypes
from functools import cached_property
from pathlib import Path
from typing import Any

from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response

ROOT = Path(__file__).resolve().parents[2] / "web"
BUILT = ROOT / "dist"
PREFIX = "/api"  # paths of the functions, whose routes do not include it
# The routes of web/src/App.tsx. The API is also served without the prefix, for curl.
ROUTES = ("/", "/batch", "/review", "/watch", "/card")
FILES = ("/assets/", "/favicon.svg")
NOT_BUILT = (
    "The web page is not built; run `make web` (needs Node.js 20 or newer). The API is available: /docs.\n"
)
CONFIG = {"sign_in": None}
YEAR_SECONDS = 365 * 24 * 3600


class StaticSite:
    """The built page in a folder; if it is not built, a text that says how to build it."""

    def __init__(self, folder: Path = BUILT) -> None:
        self.folder = folder

    @cached_property
    def headers(self) -> dict[str, str]:
        """Return the headers of every response, as in AWS except for those about TLS."""
        security: dict[str, Any] = json.loads((ROOT / "security.json").read_text())
        policy = "; ".join(f"{name} {value}" for name, value in security["content_security_policy"].items())
        return {
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "same-origin",
            **security["headers"],
        }

    def respond(self, path: str) -> Response | None:
        """Return the response to GET of a path, or None if the path does not belong to the page."""
        if path == "/config.json":
            return JSONResponse(CONFIG, headers={**self.headers, "Cache-Control": "no-store"})
        if path in ROUTES:
            return self._file(self.folder / "index.html", "no-cache") or PlainTextResponse(
                NOT_BUILT, status_code=404
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
