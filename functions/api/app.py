"""The wiring: parts, routes, middleware and error handlers make one FastAPI application.

Reads no environment and loads nothing by itself, so tests and tools can build as many as they like.
"""

from fastapi import FastAPI
from sentiment.http import CORRELATION_HEADER
from starlette.middleware.cors import CORSMiddleware

from functions.api import operations, predictions
from functions.api.dependencies import Dependencies
from functions.api.errors import install_error_handlers
from functions.api.metrics import Metrics
from functions.api.middleware import RequestMiddleware
from functions.api.model.artifact import load_artifact
from functions.api.model.classifier import Classifier
from functions.api.outbox import Outbox
from functions.api.settings import ApiSettings

DESCRIPTION = (
    "Classifies texts with a DistilBERT model. Every answered prediction is stored and can be given feedback."
)


def create_dependencies(settings: ApiSettings) -> Dependencies:
    """Load the model and make what the routes need; raises ModelError when the artifact is not whole."""
    artifact = load_artifact(settings.model_dir)
    classifier = Classifier(artifact, threads=settings.threads, cache_entries=settings.cache_entries)
    return Dependencies(
        settings=settings,
        classifier=classifier,
        outbox=Outbox(queue_url=settings.queue_url, unsent_bucket=settings.unsent_bucket),
        figures=Metrics(classifier.card),
        golden=artifact.golden,
    )


def create_app(parts: Dependencies) -> FastAPI:
    """Build the application around its parts."""
    app = FastAPI(
        title="Serverless Sentiment", description=DESCRIPTION, version=parts.classifier.card.model_version
    )
    app.state.parts = parts
    app.include_router(predictions.router)
    app.include_router(operations.router)
    install_error_handlers(app)
    app.add_middleware(RequestMiddleware, figures=parts.figures)
    if parts.settings.cors_origins:  # added last, so outermost: errors carry the headers too
        app.add_middleware(
            CORSMiddleware,
            allow_origins=parts.settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["content-type", CORRELATION_HEADER],
            expose_headers=[CORRELATION_HEADER],
            max_age=600,
        )
    return app
