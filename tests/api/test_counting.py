"""CloudWatch's hourly count of predictions equals the stored predictions of that hour."""

import json
from collections.abc import Callable
from datetime import datetime

import pytest
from sentiment.logging import metrics
from sentiment.messages import PredictionMade, parse_message

from functions.api.model.artifact import Artifact
from functions.api.model.classifier import Classifier
from tests.api.driver import Api


def test_each_stored_prediction_is_one_sample_at_its_own_time(
    make_api: Callable[..., Api], artifact: Artifact, capsys: pytest.CaptureFixture[str]
) -> None:
    api = make_api(Classifier(artifact, threads=1, cache_entries=8))
    text = "A lovely film."
    requests = [
        ("/predict", {"text": text}),
        ("/predict", {"text": text}),  # from the cache
        ("/predict/batch", {"texts": [text, text, "", "A dull one."]}),
        ("/explain", {"text": text}),  # not a prediction
        ("/predict", {"text": ""}),  # not a prediction either
    ]
    times = []
    for path, body in requests:
        api.post(path, body)
        metrics("api").flush_metrics()  # as the handler does after each event
        [counted] = [
            document
            for line in capsys.readouterr().out.splitlines()
            if "RequestTime" in (document := json.loads(line))
        ]
        stored = list(map(parse_message, api.queued_bodies))
        assert len(counted.get("InferenceTime", [])) == len(stored)
        at = datetime.fromtimestamp(counted["_aws"]["Timestamp"] / 1000).astimezone()
        for message in stored:
            assert isinstance(message, PredictionMade)
            assert abs((message.predicted_at - at).total_seconds()) < 0.1
        if path == "/predict" and stored:
            [prediction] = stored
            assert isinstance(prediction, PredictionMade) and prediction.predicted_at == at
        times.append(at)
    assert times == sorted(set(times)), "no request is filed under the time of an earlier one"
