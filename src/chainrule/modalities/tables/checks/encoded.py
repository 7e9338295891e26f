"""The columns of a table as the network receives them, one array for each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....data import Features, Preprocessor
from ....data.tables.encode import CategoryEncoder, TextEncoder

__all__ = ["Encoded", "columns_of"]


@dataclass(frozen=True)
class Encoded:
    """``values`` of some rows: codes if it is ``coded``, standardised numbers if not.

    A column may have several: a date has parts, and where values are missing is one of its own.
    """

    column: str
    name: str
    coded: bool
    values: NDArray[Any]


def columns_of(pipeline: Preprocessor, features: Features) -> Iterator[Encoded]:
    """All of them but texts, in the order of the table."""
    at = coded = 0
    for encoder in pipeline.encoders:
        if isinstance(encoder, CategoryEncoder) and not encoder.one_hot:
            yield Encoded(encoder.column, encoder.column, True, features.codes[:, coded])
            coded += 1
            continue
        block = features.numeric[:, at : at + len(encoder.names)]
        at += len(encoder.names)
        if isinstance(encoder, TextEncoder):
            continue
        if isinstance(encoder, CategoryEncoder):
            codes = block @ np.arange(1, block.shape[1] + 1, dtype=np.float32)
            yield Encoded(encoder.column, encoder.column, True, codes.astype(np.int32))
            continue
        for j, name in enumerate(encoder.names):
            marks = encoder.indicator and j == len(encoder.names) - 1
            values = block[:, j].astype(np.int32) if marks else block[:, j]
            yield Encoded(encoder.column, name, marks, values)
