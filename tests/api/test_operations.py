import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel
from sentiment.exceptions import ModelError
from sentiment.logging import metrics

from functions.api.model.artifact import Artifact
from functions.api.model.card_schema import ModelResponse
from functions.api.model.classifier import Classifier
from tests.api.driver import Api


def samples(api: Api) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(api.get("/metrics").text)
        for sample in family.samples
    }


def test_health_is_ok_when_the_queue_accepts_records(api: Api) -> None:
    response = api.get("/health")
    assert response.status == 200
    assert response.json == {
        "status": "ok",
        "failing": [],
        "model_version": api.dependencies.classifier.card.model_version,
    }
    assert api.queued == []


def test_health_is_degraded_when_only_the_fallback_works(api: Api) -> None:
    api.break_queue()
    response = api.get("/health")
    assert (response.status, response.json["status"]) == (200, "degraded")
    assert response.json["failing"] == ["queue"]
    assert api.unsent == {}


def test_health_names_what_fails_when_nothing_accepts_records(api: Api) -> None:
    api.break_queue()
    api.break_fallback()
    response = api.get("/health")
    assert (response.status, response.json["status"]) == (503, "unavailable")
    assert response.json["failing"] == ["queue", "fallback"]


def test_health_names_the_model_when_it_fails(api: Api, artifact: Artifact) -> None:
    class Broken(Classifier):
        broken = False

        def check(self) -> None:
            if self.broken:
                raise ModelError("the session is gone")

    classifier = Broken(artifact, threads=1, cache_entries=0)
    classifier.broken = True
    response = Api(replace(api.dependencies, classifier=classifier), api.aws).get("/health")
    assert (response.status, response.json["failing"]) == (503, ["model"])


def test_model_is_the_card(api: Api, artifact: Artifact) -> None:
    card = api.get("/model").json
    whole = artifact.card.model_dump(mode="json")
    assert card | {"novelty": whole["novelty"]} == whole
    assert {"labels", "max_length", "metrics", "data", "export", "training", "files"} <= card.keys()


def test_an_export_writes_every_documented_field_of_the_card(api: Api) -> None:
    assert absent(ModelResponse.model_validate(api.get("/model").json)) == []


def absent(part: object, at: str = "") -> list[str]:
    """List the documented fields, at any depth, that are missing in the content."""
    if isinstance(part, list):
        return [name for one in part for name in absent(one, at)]
    if not isinstance(part, BaseModel):
        return []
    fields = type(part).model_fields
    here = [f"{at}{name}" for name in fields if name not in part.model_fields_set]
    return here + [name for field in fields for name in absent(getattr(part, field), f"{at}{field}.")]


def test_model_leaves_out_the_vectors_that_only_serving_reads(api: Api) -> None:
    response = api.get("/model")
    assert response.json["novelty"] == {"output": "pooled", "rows": 64, "split": "validation"}
    assert len(response.text) < 10_000


def test_metrics_count_predictions_and_feedback(api: Api) -> None:
    api.predict("A wonderful film")
    api.post("/predict/batch", {"texts": ["A dull film", "A great story", " "]})
    api.post("/predictions/019ab1de-7c1f-7d3a-9c55-3f6d3e0a4b21/feedback", {"label": "negative"})
    api.predict("")
    api.get("/a/path/somebody/made/up")
    found = samples(api)
    assert found["sentiment_predictions_total", (("sentiment", "positive"),)] == 2
    assert found["sentiment_predictions_total", (("sentiment", "negative"),)] == 1
    assert found["sentiment_feedback_total", (("label", "negative"),)] == 1
    assert found["sentiment_inference_seconds_count", ()] == 3
    assert found["sentiment_confidence_count", ()] == 3
    assert found["sentiment_confidence_bucket", (("le", "+Inf"),)] == 3
    assert found["sentiment_novelty_count", ()] == 3
    assert found["sentiment_text_tokens_count", ()] == 3
    assert found["sentiment_text_tokens_bucket", (("le", "16.0"),)] == 3
    assert found["sentiment_truncated_total", ()] == 0
    assert found["sentiment_unsent_records_total", ()] == 0
    assert found["sentiment_request_seconds_count", (("route", "/predict"), ("status", "422"))] == 1
    assert found["sentiment_request_seconds_count", (("route", "unmatched"), ("status", "404"))] == 1
    [info] = [labels for name, labels in found if name == "sentiment_model_info"]
    assert dict(info)["version"] == api.dependencies.classifier.card.model_version


def test_metrics_count_truncated_texts_separately(api: Api) -> None:
    api.post("/predict/batch", {"texts": ["wonderful film " * 100, "A great story"]})
    found = samples(api)
    assert found["sentiment_truncated_total", ()] == 1
    assert found["sentiment_text_tokens_bucket", (("le", "128.0"),)] == 1
    assert found["sentiment_text_tokens_bucket", (("le", "256.0"),)] == 2


def test_metrics_count_records_that_went_to_s3(api: Api) -> None:
    api.break_queue()
    api.post("/predict/batch", {"texts": ["A dull film", "A great story"]})
    assert samples(api)["sentiment_unsent_records_total", ()] == 2


def test_the_same_metrics_are_published_as_emf(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    api.post("/predict/batch", {"texts": ["A dull film", "A great story", "A great cast"]})
    metrics("api").flush_metrics()
    blobs = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith('{"_aws"')]
    by_label = {blob["sentiment"]: blob["Predictions"] for blob in blobs if "Predictions" in blob}
    assert by_label == {"negative": [1], "positive": [2]}
    [figures] = [blob for blob in blobs if "InferenceTime" in blob]
    assert len(figures["InferenceTime"]) == len(figures["Confidence"]) == 3
    assert len(figures["Novelty"]) == 3
    assert figures["Truncated"] == [0, 0, 0]
    assert (figures["ClientErrors"], figures["ServerErrors"]) == ([0], [0])
    assert figures["service"] == "api"


def test_client_and_server_errors_are_counted_separately(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    api.predict("")
    api.get("/nowhere")
    api.break_queue()
    api.break_fallback()
    api.predict("A dull film")
    metrics("api").flush_metrics()
    [figures] = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "ServerErrors" in line]
    assert figures["ClientErrors"] == [1, 1, 0]
    assert figures["ServerErrors"] == [0, 0, 1]


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_documentation_is_served(api: Api, path: str) -> None:
    response = api.get(path)
    assert response.status == 200
    assert "/openapi.json" in response.text


def schemas_with_examples(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, schema in document["components"]["schemas"].items():
        for example in schema.get("examples", []):
            yield name, example


def test_the_openapi_document_is_complete_and_its_examples_are_valid(api: Api) -> None:
    document = api.get("/openapi.json").json
    assert re.match(r"3\.1\.", document["openapi"])
    assert set(document["paths"]) == {
        "/predict",
        "/predict/batch",
        "/explain",
        "/predictions/{prediction_id}/feedback",
        "/health",
        "/model",
        "/model/golden",
        "/metrics",
    }
    for operations in document["paths"].values():
        for operation in operations.values():
            assert operation["summary"]
            assert operation["description"]
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert references <= document["components"]["schemas"].keys()

    examples = dict(schemas_with_examples(document))
    assert api.post("/predict", examples["PredictRequest"]).status == 200
    assert api.post("/predict/batch", examples["BatchRequest"]).status == 200
    assert api.post("/explain", examples["ExplainRequest"]).status == 200
    feedback = f"/predictions/{examples['PredictionResponse']['prediction_id']}/feedback"
    assert api.post(feedback, examples["FeedbackRequest"]).status == 202
    assert (
        api.post("/predict", examples["PredictRequest"]).json.keys() == examples["PredictionResponse"].keys()
    )
    assert api.post("/explain", examples["ExplainRequest"]).json.keys() == examples["ExplainResponse"].keys()
    assert api.get("/health").json.keys() == examples["HealthResponse"].keys()
