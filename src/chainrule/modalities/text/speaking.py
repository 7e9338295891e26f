"""Which words spoke for a prediction: the gradient of the output by each vector, times the vector.

What a token adds is grad · vector (Simonyan et al., 2014; Li et al., 2016). For a bag of embeddings
that is exact: the parts sum to the output, but for its bias.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...data.text import PADDING, UNKNOWN
from ...frontend import Tensor, no_grad
from ...frontend.apply import from_array
from ...frontend.transforms import grad
from ...phrasing import percent
from ...train import Scores
from .classifier import Classifier
from .preprocessor import LabelPreprocessor, Reader

__all__ = ["contributions", "explanation"]

Floats = npt.NDArray[np.float64]

#: of texts that are looked at, evenly spaced; of mistakes and words that are shown
LOOKED_AT, MISTAKES, WORDS, EACH, CLASSES = 256, 24, 12, 4, 12
#: letters of a text in a table
EXCERPT = 280


def contributions(
    model: Classifier,
    preprocessor: LabelPreprocessor,
    inputs: Sequence[npt.NDArray[Any]],
    chosen: npt.NDArray[np.integer] | None,
) -> Floats:
    """What each token adds to the output ``chosen`` [rows], over the mean of all outputs; with one
    output, to that one: [rows, tokens]. What it adds through naive Bayes is in it."""
    model.eval()
    tokens, *others = (from_array(np.ascontiguousarray(part)) for part in inputs)

    def output(vectors: Tensor, *beside: Tensor) -> Tensor:
        outputs = model.read(vectors, tokens, *beside, *others[len(beside) :])
        if chosen is None or outputs.shape[1] == 1:
            return outputs.sum()
        weights = np.full(outputs.shape, -1.0 / outputs.shape[1], np.float32)
        weights[np.arange(len(chosen)), chosen] += 1.0
        return (outputs * from_array(weights)).sum()

    with no_grad():
        vectors = model.embed(tokens)
    if preprocessor.odds is None:
        by_vectors = grad(output)(vectors)
        return np.asarray((by_vectors.numpy() * vectors.numpy()).sum(axis=2), np.float64)
    by_vectors, by_odds = grad(output, (0, 1))(vectors, others[0])
    added = np.asarray((by_vectors.numpy() * vectors.numpy()).sum(axis=2), np.float64)
    counted = preprocessor.odds.by_feature()
    every = np.zeros((preprocessor.reader.size, counted.shape[1]))
    every[: preprocessor.reader.whole] = counted[: preprocessor.reader.whole]
    own = every[inputs[0]]
    return np.asarray(added + (own * by_odds.numpy()[:, None, :]).sum(axis=2))


def explanation(
    model: Classifier,
    preprocessor: LabelPreprocessor,
    texts: Sequence[str],
    inputs: Sequence[npt.NDArray[Any]],
    truth: npt.NDArray[Any],
    scores: Scores,
    labels: Sequence[Any],
) -> list[dict[str, Any]]:
    """Tables for reports: the words that speak for each class, and the worst mistakes."""
    if not labels:
        words = _words_for_numbers(model, preprocessor, inputs)
        return [words, _farthest(texts, truth, preprocessor.table.decode_target(scores.values))]
    predicted = scores.labels.reshape(len(truth)).astype(np.int64)
    names = [str(label).lower() if isinstance(label, bool) else str(label) for label in labels]
    tables = [_words_by_class(model, preprocessor, inputs, predicted, names)]
    worst = _worst(truth.astype(np.int64), predicted, scores)
    if len(worst):
        own = [part[worst] for part in inputs]
        added = contributions(model, preprocessor, own, predicted[worst])
        if len(names) == 2 and scores.outputs.shape[1] == 1:
            added = np.where(predicted[worst][:, None] == 1, added, -added)
        chances = _chances(scores)[worst, predicted[worst]]
        tables.append({
            "title": "Worst mistakes",
            "words": "The test texts whose true class was given the lowest probability, worst "
                     "first, and the words that spoke most for the prediction.",
            "heads": ["text", "true", "predicted", "probability", "spoke for it"],
            "examples": worst.tolist(),
            "rows": [
                [_excerpt(texts[i]), names[int(truth[i])], names[predicted[i]], percent(chance),
                 ", ".join(_loudest(preprocessor.reader, row, part))]
                for i, row, part, chance in zip(worst, own[0], added, chances, strict=True)
            ],
        })  # fmt: skip
    return tables


def _farthest(texts: Sequence[str], truth: npt.NDArray[Any], predicted: Floats) -> dict[str, Any]:
    """The texts whose number was predicted worst."""
    predicted = predicted.reshape(len(truth))
    worst = np.argsort(-np.abs(predicted - truth), kind="stable")[:MISTAKES]
    return {
        "title": "Worst predictions",
        "words": "The test texts whose number is farthest from its prediction, worst first.",
        "heads": ["text", "true", "predicted", "off by"],
        "rows": [
            [_excerpt(texts[i]), float(truth[i]), float(predicted[i]),
             float(predicted[i] - truth[i])]
            for i in worst.tolist()
        ],
        "examples": worst.tolist(),
    }  # fmt: skip


def _excerpt(text: str) -> str:
    short = " ".join(text.split())
    return short if len(short) <= EXCERPT else f"{short[:EXCERPT]} ..."


def _chances(scores: Scores) -> Floats:
    probabilities = scores.probabilities
    if probabilities.shape[1] > 1:
        return probabilities
    return np.concatenate([1 - probabilities, probabilities], axis=1)


def _worst(
    truth: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], scores: Scores
) -> npt.NDArray[np.int64]:
    wrong = np.flatnonzero(truth != predicted)
    order = np.argsort(_chances(scores)[wrong, truth[wrong]], kind="stable")
    return wrong[order][:MISTAKES]


def _loudest(reader: Reader, row: npt.NDArray[Any], added: Floats) -> list[str]:
    order = np.argsort(-added, kind="stable")
    known = [i for i in order if row[i] > UNKNOWN and added[i] > 0]
    return list(dict.fromkeys(reader.meaning(int(row[i])) for i in known))[:EACH]


def _spread(rows: int) -> npt.NDArray[np.int64]:
    return np.unique(np.linspace(0, rows - 1, min(rows, LOOKED_AT)).round().astype(np.int64))


def _totals(features: npt.NDArray[Any], added: Floats, count: int) -> Floats:
    """What each feature adds in all places together."""
    there = features > PADDING
    return np.asarray(np.bincount(features[there], added[there], count), np.float64)


def _ranked(reader: Reader, totals: Floats) -> list[str]:
    order = np.argsort(-totals, kind="stable")[: WORDS + 4]
    return [reader.meaning(int(i)) for i in order if totals[i] > 0 and i > UNKNOWN][:WORDS]


def _words_by_class(
    model: Classifier,
    preprocessor: LabelPreprocessor,
    inputs: Sequence[npt.NDArray[Any]],
    predicted: npt.NDArray[np.int64],
    names: Sequence[str],
) -> dict[str, Any]:
    rows = _spread(len(predicted))
    own = [part[rows] for part in inputs]
    added = contributions(model, preprocessor, own, predicted[rows])
    one_output = len(names) == 2 and model.outputs == 1
    shown = []
    for code, name in list(enumerate(names))[:CLASSES]:
        if one_output:
            totals = _totals(own[0], added if code else -added, preprocessor.reader.size)
        else:
            members = predicted[rows] == code
            totals = _totals(own[0][members], added[members], preprocessor.reader.size)
        if words := _ranked(preprocessor.reader, totals):
            shown.append([name, ", ".join(words)])
    return {
        "title": "Words that speak for a class",
        "words": f"What {len(rows)} test texts say most clearly, the clearest first: the gradient "
        "of the prediction by each token, times the token.",
        "heads": ["class", "words"],
        "rows": shown,
    }


def _words_for_numbers(
    model: Classifier, preprocessor: LabelPreprocessor, inputs: Sequence[npt.NDArray[Any]]
) -> dict[str, Any]:
    rows = _spread(len(inputs[0]))
    own = [part[rows] for part in inputs]
    totals = _totals(
        own[0], contributions(model, preprocessor, own, None), preprocessor.reader.size
    )
    return {
        "title": "Words that raise and lower the prediction",
        "words": f"What {len(rows)} test texts say most clearly, the clearest first: the gradient "
        "of the prediction by each token, times the token.",
        "heads": ["the prediction becomes", "words"],
        "rows": [
            ["higher", ", ".join(_ranked(preprocessor.reader, totals))],
            ["lower", ", ".join(_ranked(preprocessor.reader, -totals))],
        ],
    }
