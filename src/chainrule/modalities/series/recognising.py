"""How surely a source is series; asked of all kinds, so that it loads little."""

from __future__ import annotations

import os
from collections.abc import Mapping

from ...arguments import is_pair
from ...data import Table
from ...data.series.bundles import bundled_series
from ...data.tables.columns import is_frame

__all__ = ["recognises"]

#: a table may hold series, if an option or the task says so
POSSIBLE = 0.5
EXTENSIONS = (".csv", ".tsv", ".parquet", ".jsonl", ".gz")


def recognises(source: object) -> float:
    """From 0 to 1."""
    if is_pair(source):
        return 0.0
    if bundled_series(source):
        return 1.0
    if isinstance(source, str | os.PathLike):
        return POSSIBLE if str(source).lower().endswith(EXTENSIONS) else 0.0
    table = isinstance(source, Table | Mapping) or any(
        is_frame(source, library, ("DataFrame", "Table", "RecordBatch"))
        for library in ("pandas", "polars", "pyarrow")
    )
    return POSSIBLE if table else 0.0
