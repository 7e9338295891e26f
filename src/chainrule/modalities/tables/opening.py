"""Opens a table: a path, the name of a bundled one, or data in memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...arguments import user_path
from ...data import Bundled, Table, read_table, resolve_source
from ...data.tables.columns import with_column
from ...errors import ConfigError
from ...runs.modality import is_pair
from ...train.workers import Workers
from .settings import Settings

__all__ = ["complete_settings", "open_table"]

#: what the target of rows in memory is called, if it has no name of its own
TARGET = "target"


def open_table(
    source: object, query: str | None = None, readers: Workers | None = None
) -> tuple[Table, Bundled | None]:
    """A table from a path, the name of a bundled one, or data in memory; and the bundled one.

    Rows in memory and a target of their own, ``(X, y)``, become one table: see `target_name`. Of a
    large file, each of the ``readers`` reads some rows.
    """
    if is_pair(source):
        rows, target = source
        return read_table(with_column(rows, target_name(source), target), query=query), None
    if isinstance(source, Table):
        if query:
            raise ConfigError(
                "a table that has been read already takes no query",
                help="give the query to read_table, or the path here",
            )
        return source, None
    if isinstance(source, str) and not source:
        raise ConfigError(
            "there is no table to learn from",
            help="pass the path of a file, the name of a bundled table, or data in memory",
        )
    data = resolve_source(source) if isinstance(source, str | os.PathLike) else source
    if isinstance(data, Bundled):
        return read_table(data.path, query=query, name=data.name), data
    return read_table(data, query=query, peers=readers), None


def target_name(pair: tuple[object, object]) -> str:
    """What the target of ``(X, y)`` is called: as ``y`` is, or its one column, if that has a name,
    or else `TARGET`."""
    name = getattr(pair[1], "name", None)
    names: Sequence[object] = getattr(pair[1], "columns", ())
    if name is None and len(names) == 1:
        name = names[0]
    return name if isinstance(name, str) and name else TARGET


def complete_settings(
    settings: Settings, origin: object, table: Table, bundled: Bundled | None
) -> Settings:
    """``settings`` with a name, an absolute path, and what is known about a bundled table."""
    data = settings.data
    if not data.target and is_pair(origin):
        data = replace(data, target=target_name(origin))
    if not data.target and bundled and bundled.target in table.columns:
        data = replace(data, target=bundled.target)
    if not data.target:
        raise ConfigError(
            "no target column was given",
            where=table.name,
            help=f"name the column to predict; the columns are {', '.join(table.columns[:12])}",
        )
    if not data.missing and bundled:
        missing = {
            column: values
            for column, values in bundled.missing.items()
            if column in table.columns and column != data.target
        }
        data = replace(data, missing=missing)
    if data.weight and data.weight in (data.target, *data.also):
        raise ConfigError(
            f"`{data.weight}` cannot say how much rows count: it is to be predicted",
            help="name another column in data.weight",
        )
    if data.weight:  # it says how much rows count, and is no input
        data = replace(data, columns={**data.columns, data.weight: "ignored"})
    if bundled:
        data = replace(data, path=bundled.name)
    elif isinstance(origin, str | os.PathLike):
        data = replace(data, path=str(user_path(origin, "the data").absolute()))
    return replace(settings, data=data, name=settings.name or _name_of(table, bundled))


def _name_of(table: Table, bundled: Bundled | None) -> str:
    """The name of the table without folders and extensions."""
    return bundled.name if bundled else Path(table.name).name.split(".")[0] or "table"
