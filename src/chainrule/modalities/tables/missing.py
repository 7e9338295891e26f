"""How many values are missing in each column, as its encoder marks them."""

from __future__ import annotations

import numpy as np

from ...data import Features, Preprocessor
from ...data.tables.encode import CategoryEncoder

__all__ = ["missing_counts"]


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
