"""Counts the missing values of each column by the marks of its encoder."""

from __future__ import annotations

import numpy as np

from ...data import Features, Preprocessor
from ...data.tables.encode import CategoryEncoder

__all__ = ["missing_counts"]


def missing_counts(pipeline: Preprocessor, features: Features) -> dict[str, int]:
    """Missing values of each column in encoded rows, counted by the encoders' marks. A column
    without a mark had none in the rows that it was fitted on, or so few that they count as rare.
    """
    counts = {}
    numeric = code = 0
    for encoder in pipeline.encoders:
        if isinstance(encoder, CategoryEncoder):
            marked = None in encoder.categories
            at = encoder.categories.index(None) if marked else 0
            if encoder.one_hot:
                marks = features.numeric[:, numeric + at] > 0.5 if marked else None
            else:
                marks = features.codes[:, code] == at + 1 if marked else None
        else:
            last = numeric + len(encoder.names) - 1
            marks = features.numeric[:, last] > 0.5 if encoder.indicator else None
        embedded = isinstance(encoder, CategoryEncoder) and not encoder.one_hot
        code += embedded
        numeric += 0 if embedded else len(encoder.names)
        counts[encoder.column] = 0 if marks is None else int(np.count_nonzero(marks))
    return counts
