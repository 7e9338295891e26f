"""How surely a source is recordings; asked of all kinds, so that it loads little."""

from __future__ import annotations

import os

from ...arguments import is_pair
from ...data.audio import Recordings, is_audio_source

__all__ = ["TABLES", "recognises"]

#: of a table of recordings and what is said in them
TABLE, TABLES = 0.5, (".csv", ".tsv")


def recognises(source: object) -> float:
    """From 0 to 1."""
    if is_pair(source):
        source = source[0]
    if isinstance(source, Recordings):
        return 1.0
    text = str(source).lower() if isinstance(source, str | os.PathLike) else ""
    return TABLE if text.endswith(TABLES) else is_audio_source(source)
