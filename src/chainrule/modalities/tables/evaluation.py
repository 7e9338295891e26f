"""What a run on a table found out about its model: the document behind evaluation.json."""

from __future__ import annotations

import numpy as np

from ...data import Features, Prepared, Preprocessor
from ...data.encode import CategoryEncoder
from ...runs.folder import RunFolder, json_text
from ...tasks.evaluation import Floats, confusion, residuals
from ...train import Scores
from .predictor import Predictor

__all__ = ["missing_counts", "write_evaluation"]


def write_evaluation(
    folder: RunFolder, predictor: Predictor, prepared: Prepared, truth: Floats, scores: Scores
) -> None:
    """Writes ``evaluation.json``; ``truth`` and ``scores`` are those of the test rows."""
    if folder.path is None:
        return
    pipeline, val = prepared.pipeline, prepared.val
    regression = predictor.task == "regression"
    held = pipeline.decode_target(val.target) if regression else val.target
    document = {
        "format": "chainrule.evaluation",
        "version": 1,
        "missing": missing_counts(pipeline, prepared.train.features),
        "validation": predictor.judge(np.asarray(held, float), predictor.scores_of(val.features)),
        "test": residuals(truth, predictor.decode(scores))
        if regression
        else confusion(
            truth.astype(np.int64),
            scores.labels.reshape(len(truth)),
            [_label(c) for c in pipeline.classes],
        ),
    }
    folder.write("evaluation.json", json_text(document) + "\n")


def _label(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def missing_counts(pipeline: Preprocessor, features: Features) -> dict[str, int]:
    """Missing values of each column in encoded rows, as the encoders mark them. A column without
    a mark had none in the rows that it was fitted on, or so few that they count as rare.
    """
    found = {}
    numeric = code = 0
    for encoder in pipeline.encoders:
        if isinstance(encoder, CategoryEncoder):
            known = None in encoder.categories
            at = encoder.categories.index(None) if known else 0
            if encoder.one_hot:
                marks = features.numeric[:, numeric + at] > 0.5 if known else None
            else:
                marks = features.codes[:, code] == at + 1 if known else None
        else:
            last = numeric + len(encoder.names) - 1
            marks = features.numeric[:, last] > 0.5 if encoder.indicator else None
        embedded = isinstance(encoder, CategoryEncoder) and not encoder.one_hot
        code += embedded
        numeric += 0 if embedded else len(encoder.names)
        found[encoder.column] = 0 if marks is None else int(np.count_nonzero(marks))
    return found
