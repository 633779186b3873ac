"""The loaded model: text in, label and probabilities out, through one ONNX Runtime session.

One text per forward pass, never padded: ONNX Runtime's dynamic int8 uses one activation scale for the whole
input tensor, so a text in a batch could get another prediction than alone. Nothing is stored or logged here.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from sentiment.exceptions import ModelError
from tokenizers import Tokenizer

from functions.api.model.artifact import FIX, Artifact, Card
from functions.api.model.novelty import NoveltyMeasure
from functions.api.model.tokenization import TokenizedText, tokenize, unknown_id

# The inputs that a graph may have, and how to compute each from the ids of one unpadded segment.
INPUTS: dict[str, Callable[[NDArray[np.int64]], NDArray[np.int64]]] = {
    "input_ids": lambda ids: ids,
    "attention_mask": np.ones_like,
    "token_type_ids": np.zeros_like,
}
TEXT_IDS = "text_ids"  # the input of a wide part: the ids of the whole text, also those that truncation cuts
WIDE = "wide"  # its output: what each feature adds to the logits, the tokens first, then neighboring pairs

Ids = Sequence[Sequence[int]]


class Prediction(NamedTuple):
    """The model's output for one text."""

    sentiment: str
    confidence: float
    probabilities: dict[str, float]  # in the card's label order
    tokens: int  # before truncation, special tokens included
    truncated: bool
    unknown_tokens: int | None = None  # before truncation; None if the vocabulary covers every text
    novelty: float | None = None  # None if the artifact has no novelty measure
    inference_time_ms: float = 0.0


class Classifier:
    """A loaded artifact; creating one runs the model and raises ModelError if that fails."""

    def __init__(self, artifact: Artifact, *, threads: int, cache_entries: int) -> None:
        self.card: Card = artifact.card
        self._session = _open_session(artifact.model, threads)
        self._inputs = {node.name for node in self._session.get_inputs()}
        try:
            self._tokenizer = Tokenizer.from_str(artifact.tokenizer.decode())
        except Exception as error:  # tokenizers raises bare Exception
            raise ModelError(f"tokenizer.json cannot be read ({error}): {FIX}") from None
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._unknown_id = unknown_id(self._tokenizer)
        self._temperature = self.card.calibration.temperature
        record = self.card.novelty
        outputs = {node.name for node in self._session.get_outputs()}
        self._novelty = NoveltyMeasure(record) if record is not None and record.output in outputs else None
        self._outputs = ["logits", "pooled"] if self._novelty else ["logits"]
        self.has_wide_part = TEXT_IDS in self._inputs and WIDE in outputs
        self._classify_cached = lru_cache(maxsize=cache_entries)(self._classify)
        self.check()

    def check(self) -> None:
        """Run the shortest possible forward pass; raises ModelError if the model fails."""
        nothing = self.tokenize("")
        logits, *pooled = self.run(self._outputs, [nothing.ids], [nothing.text_ids])
        width = logits.shape[-1]
        if width != len(self.card.labels):
            raise ModelError(
                f"model.onnx has {width} logits but model.json has {len(self.card.labels)} labels: {FIX}"
            )
        if self._novelty and pooled[0].shape[-1] != self._novelty.width:
            raise ModelError(
                f"model.onnx pools into width {pooled[0].shape[-1]} but model.json has centroids of width "
                f"{self._novelty.width}: {FIX}"
            )

    def tokenize(self, text: str) -> TokenizedText:
        """Tokenize a text as the card says."""
        card = self.card
        return tokenize(
            self._tokenizer,
            text,
            max_length=card.max_length,
            truncation=card.truncation,
            steps=card.text_cleaning,
            unknown=self._unknown_id,
        )

    def deep_logits(self, ids: Ids) -> NDArray[np.float32]:
        """Return the calibrated logits (texts, labels) of ids (texts, tokens) without the wide part."""
        return self.run(["logits"], ids, [[] for _ in ids])[0] / self._temperature

    def wide_logits(self, text_ids: Sequence[int]) -> NDArray[np.float32]:
        """Return what each feature of a text's n tokens adds to the calibrated logits; (2n - 1, labels).

        The n tokens come first, then the n - 1 pairs of neighbors. Needs a wide part.
        """
        nothing = self.tokenize("").ids  # the shortest input of the deep part, whose output is not used
        logits: NDArray[np.float32] = self.run([WIDE], [nothing], [text_ids])[0][0] / self._temperature
        return logits

    def run(self, outputs: list[str], ids: Ids, text_ids: Ids) -> list[NDArray[np.float32]]:
        """Run ids (texts, tokens) and return the named outputs, each (texts, …).

        `ids` is what the deep part reads, `text_ids` what the wide part reads, if there is one.
        """
        input_ids = np.array(ids, dtype=np.int64)
        try:
            feeds = {name: fill(input_ids) for name, fill in INPUTS.items() if name in self._inputs}
            if TEXT_IDS in self._inputs:
                feeds[TEXT_IDS] = np.array(text_ids, dtype=np.int64)
            results: list[NDArray[np.float32]] = self._session.run(outputs, feeds)
        except Exception as error:  # onnxruntime's own exceptions share no public base class
            raise ModelError(
                f"the model could not run on {input_ids.shape} tokens: {type(error).__name__}"
            ) from error
        return results

    def predict(self, text: str) -> Prediction:
        """Classify one text and time it, using the cache."""
        return _timed(self._classify_cached, text)

    def compute(self, text: str) -> Prediction:
        """Classify one text and time it, without the cache."""
        return _timed(self._classify, text)

    def predict_all(self, texts: Iterable[str]) -> dict[str, Prediction]:
        """Classify each distinct text once, exactly as `predict` would, shortest first."""
        return {text: self.predict(text) for text in sorted(set(texts), key=len)}

    def _classify(self, text: str) -> Prediction:
        encoded = self.tokenize(text)
        logits, *pooled = self.run(self._outputs, [encoded.ids], [encoded.text_ids])
        probabilities = softmax(logits[0].astype(np.float64) / self._temperature)
        best = int(probabilities.argmax())
        return Prediction(
            sentiment=self.card.labels[best],
            confidence=float(probabilities[best]),
            probabilities=dict(zip(self.card.labels, probabilities.tolist(), strict=True)),
            tokens=encoded.tokens,
            truncated=encoded.truncated,
            unknown_tokens=encoded.unknown,
            novelty=self._novelty.of(pooled[0][0]) if self._novelty else None,
        )


def _timed(classify: Callable[[str], Prediction], text: str) -> Prediction:
    start = time.perf_counter()
    prediction = classify(text)
    return prediction._replace(inference_time_ms=(time.perf_counter() - start) * 1000)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute probabilities along the last axis."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: NDArray[np.float64] = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return probabilities


def _open_session(model: bytes, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.enable_mem_pattern = False  # patterns are cached per input shape, and every length is a new shape
    # Waiting threads sleep: spinning took 50% more CPU time and saved nothing on two busy cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions share no public base class
        raise ModelError(f"model.onnx cannot be loaded ({error}): {FIX}") from None
    inputs = {node.name for node in session.get_inputs()}
    outputs = {node.name for node in session.get_outputs()}
    known = [*INPUTS, TEXT_IDS]
    if "input_ids" not in inputs or not inputs <= set(known) or "logits" not in outputs:
        raise ModelError(
            f"model.onnx has inputs {sorted(inputs)} and outputs {sorted(outputs)}; expected input_ids, "
            f"optionally {', '.join(known[1:])}, and the output logits: {FIX}"
        )
    return session
