"""Builds the FastAPI application from its dependencies, routes, middleware and error handlers.

This module does not read the environment, so tests and tools can build any number of applications.
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

DESCRIPTION = "Classifies texts with a DistilBERT model. Every prediction is stored and can receive feedback."


def create_dependencies(settings: ApiSettings) -> Dependencies:
    """Load the model and create what the routes need; raises ModelError for an incomplete artifact."""
    artifact = load_artifact(settings.model_dir)
    classifier = Classifier(artifact, threads=settings.threads, cache_entries=settings.cache_entries)
    return Dependencies(
        settings=settings,
        classifier=classifier,
        outbox=Outbox(queue_url=settings.queue_url, unsent_bucket=settings.unsent_bucket),
        metrics=Metrics(classifier.card),
        golden=artifact.golden,
    )


def create_app(dependencies: Dependencies) -> FastAPI:
    """Build the application around its dependencies."""
    app = FastAPI(
        title="Serverless Sentiment",
        description=DESCRIPTION,
        version=dependencies.classifier.card.model_version,
    )
    app.state.dependencies = dependencies
    app.include_router(predictions.router)
    app.include_router(operations.router)
    install_error_handlers(app)
    app.add_middleware(RequestMiddleware, metrics=dependencies.metrics)
    if dependencies.settings.cors_origins:  # added last, so outermost: error responses have the headers too
        app.add_middleware(
            CORSMiddleware,
            allow_origins=dependencies.settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["content-type", CORRELATION_HEADER],
            expose_headers=[CORRELATION_HEADER],
            max_age=600,
        )
    return app
