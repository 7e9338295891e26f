"""Opening a table: a path, the name of a bundled one, or what Python holds."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from ...arguments import user_path
from ...data import Bundled, Table, read_table, resolve_source
from ...errors import ConfigError
from .settings import Settings

__all__ = ["completed", "open_table"]


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


def completed(settings: Settings, origin: object, table: Table, known: Bundled | None) -> Settings:
    """With what a bundled table knows about itself, a name, and a path that holds anywhere."""
    data = settings.data
    if not data.target and known and known.target in table.columns:
        data = replace(data, target=known.target)
    if not data.target:
        raise ConfigError(
            "the target column is not named",
            where=table.name,
            help=f"say which one to predict; the columns are {', '.join(table.columns[:12])}",
        )
    if not data.missing and known:
        usual = {c: v for c, v in known.missing.items() if c in table.columns and c != data.target}
        data = replace(data, missing=usual)
    if known:
        data = replace(data, path=known.name)
    elif isinstance(origin, str | os.PathLike):
        data = replace(data, path=str(user_path(origin, "the data").absolute()))
    return replace(settings, data=data, name=settings.name or _name_of(table, known))


def _name_of(table: Table, known: Bundled | None) -> str:
    """The table's name without folders and endings."""
    return known.name if known else Path(table.name).name.split(".")[0] or "table"
