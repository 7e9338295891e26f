"""How surely a source is a table; asked of all kinds, so that it loads little."""

from __future__ import annotations

import os
from collections.abc import Mapping

from ...arguments import is_pair
from ...data import BUNDLED, Table
from ...data.tables.columns import is_frame

__all__ = ["recognises"]

#: how sure to be of a known extension, of columns in memory, and of any other path
SURE, LIKELY, POSSIBLE = 1.0, 0.75, 0.1
EXTENSIONS = (".csv", ".tsv", ".parquet", ".jsonl", ".gz")


def recognises(source: object) -> float:
    """From 0 to 1."""
    if is_pair(source) and not isinstance(source[0], str | os.PathLike | Table):
        return recognises(source[0])
    if isinstance(source, Table):
        return SURE
    if isinstance(source, str | os.PathLike):
        known = str(source) in BUNDLED or str(source).lower().endswith(EXTENSIONS)
        return SURE if known else POSSIBLE
    if isinstance(source, Mapping) or is_frame(source, "pyarrow", ("Table", "RecordBatch")):
        return LIKELY
    # Data frames of other libraries have a shape, too.
    return LIKELY if len(getattr(source, "shape", ())) in (1, 2) else 0.0
