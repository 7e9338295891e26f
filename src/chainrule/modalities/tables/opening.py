"""Opening a table: a path, the name of a bundled one, or what Python holds."""

from __future__ import annotations

import os

from ...data import Bundled, Table, read_table, resolve_source
from ...errors import ConfigError

__all__ = ["open_table"]


def open_table(source: object, query: str | None = None) -> tuple[Table, Bundled | None]:
    """A table from a path, the name of a bundled one, or Python data; and which bundled one."""
    if isinstance(source, Table):
        if query:
            raise ConfigError(
                "a table that was read already takes no query",
                help="give the query to read_table, or the path here",
            )
        return source, None
    if isinstance(source, str) and not source:
        raise ConfigError(
            "there is no table to learn from",
            help="give the path of a file, the name of a bundled table, or what holds the rows",
        )
    found = resolve_source(source) if isinstance(source, str | os.PathLike) else source
    if isinstance(found, Bundled):
        return read_table(found.path, query=query, name=found.name), found
    return read_table(found, query=query), None
