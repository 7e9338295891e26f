"""How surely a source is text; asked of all kinds, so that it loads little."""

from __future__ import annotations

import os
from collections.abc import Mapping

from ...arguments import is_pair, user_path
from ...data.listing import holds
from ...data.tables.columns import is_frame
from ...data.text import ENDINGS, bundled_text, is_texts
from ...data.text.reading import is_prose

__all__ = ["recognises"]

#: a table may hold texts, if an option or the task says so
UNLIKELY, POSSIBLE, LIKELY, SURE = 0.05, 0.5, 0.9, 1.0
TABLES = (".csv", ".tsv", ".parquet", ".jsonl", ".gz")


def recognises(source: object) -> float:
    """From 0 to 1."""
    if is_pair(source):
        return LIKELY if is_texts(source[0]) else 0.0
    if bundled_text(source):
        return SURE
    if isinstance(source, str | os.PathLike):
        return _certainty_of_path(source)
    if is_texts(source):
        return LIKELY
    frame = any(
        is_frame(source, library, ("DataFrame", "Table", "RecordBatch"))
        for library in ("pandas", "polars", "pyarrow")
    )
    return POSSIBLE if frame or isinstance(source, Mapping) else 0.0


def _certainty_of_path(source: str | os.PathLike[str]) -> float:
    """How surely a path leads to texts: a folder of text files, or a table, or a text file."""
    if not str(source):
        return 0.0
    path = user_path(source, "the data")
    if path.is_dir():
        return LIKELY if holds(path, ENDINGS) else 0.0
    name = str(source).lower()
    possible = name.endswith(TABLES) or (name.endswith(ENDINGS) and is_prose(path))
    return POSSIBLE if possible else UNLIKELY
