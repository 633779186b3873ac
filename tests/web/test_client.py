"""The page's OpenAPI documents, limits and error messages match the API and the reports."""

import json
import re
from importlib import import_module
from pathlib import Path

import pytest
from fastapi import FastAPI
from sentiment.exceptions import SentimentError
from sentiment.limits import MAX_CHARACTERS, MAX_TEXTS

from functions.api import operations, predictions
from functions.reports.handler import ROUTES
from functions.reports.openapi import describe as describe_reports

WEB = Path(__file__).resolve().parents[2] / "web"
DOCUMENTS = ("api", "reports")
CALLERS = ("functions.api.errors", "functions.reports.report_links")
SERVED = ("sentiment.", "functions.api.", "functions.reports.")


def described() -> dict[str, str]:
    app = FastAPI(title="Serverless Sentiment")
    app.include_router(predictions.router)
    app.include_router(operations.router)
    documents = {"api": app.openapi(), "reports": describe_reports(ROUTES)}
    return {name: json.dumps(document, indent=2) + "\n" for name, document in documents.items()}


def describe() -> None:
    """Write the OpenAPI documents that `make web-client` generates the page's client from."""
    for name, document in described().items():
        (WEB / "openapi" / f"{name}.json").write_text(document)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_document_is_up_to_date(name: str) -> None:
    committed = (WEB / "openapi" / f"{name}.json").read_text()
    assert committed == described()[name], "run `make web-client` and review the difference"


def test_the_page_and_the_documents_state_the_limits_of_the_api() -> None:
    [characters] = re.findall(r"MAX_CHARACTERS = ([\d_]+)", (WEB / "src/try/text.ts").read_text())
    [texts] = re.findall(r"CHUNK_TEXTS = (\d+)", (WEB / "src/batch/send.ts").read_text())
    assert (int(characters), 2 * int(texts)) == (MAX_CHARACTERS, MAX_TEXTS)
    routes = (WEB.parent / "docs" / "api.md").read_text()
    for document in (routes, described()["api"]):
        found = re.findall(r"\bup to (\d+) texts", document, re.IGNORECASE)
        assert set(found) == {str(MAX_TEXTS)}
        found = re.findall(r"\b1 to ([\d,]+) characters", document)
        assert set(found) == {f"{MAX_CHARACTERS:,}"}


def test_every_error_code_has_a_message() -> None:
    for module in CALLERS:
        import_module(module)
    messages = json.loads((WEB / "src" / "api" / "messages.json").read_text())
    codes = {error.code for error in subclasses(SentimentError) if error.__module__.startswith(SERVED)}
    assert codes <= messages.keys()
    assert all(message.endswith((".", "{message}.")) for message in messages.values())


def subclasses(error: type[SentimentError]) -> set[type[SentimentError]]:
    return {error, *(each for child in error.__subclasses__() for each in subclasses(child))}
