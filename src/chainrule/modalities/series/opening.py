"""Opens series: a table in long form, read through the reader of tables, becomes a panel."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...arguments import user_path
from ...data import Finding, Table, read_table
from ...data.series import Frequency, Panel, Rows, build_panel
from ...data.series.bundles import BundledSeries, bundled_series
from ...data.series.frequency import Stamps
from ...data.series.stamps import read_stamps, zoned
from ...errors import ConfigError, DataError
from .roles import Roles, infer_roles
from .settings import SeriesDataSettings

__all__ = ["Source", "open_source", "read_series"]

Floats = NDArray[np.float64]
#: between the names of several columns that tell a series apart
BETWEEN = " / "


@dataclass(frozen=True)
class Source:
    """Series as they were read: ``panel`` with the channels target, past and known; ``static``
    holds the texts of each static column by series."""

    table: Table
    roles: Roles
    panel: Panel
    static: Mapping[str, tuple[str | None, ...]]
    findings: tuple[Finding, ...]


def open_source(
    source: object, data: SeriesDataSettings
) -> tuple[Table, SeriesDataSettings, BundledSeries | None]:
    """The table of a path, of the name of bundled series, or of data in memory; the settings with
    what is known about bundled ones."""
    if isinstance(source, str) and not source:
        raise ConfigError(
            "there are no series to learn from",
            help="pass the path of a table, the name of bundled series, or data in memory",
        )
    bundle = bundled_series(source)
    if bundle:
        data = replace(
            data, path=bundle.name, time=data.time or bundle.time,
            group=data.group or bundle.group, target=data.target or bundle.target,
        )  # fmt: skip
        return read_table(bundle.path, query=data.query or None, name=bundle.name), data, bundle
    if isinstance(source, Table):
        return source, data, None
    table = read_table(source, query=data.query or None)
    if isinstance(source, str | os.PathLike):
        data = replace(data, path=str(user_path(source, "the series").absolute()))
    return table, data, None


def read_series(
    table: Table, data: SeriesDataSettings, frequency: Frequency | None = None
) -> Source:
    """The series of a table, by the roles of its columns.

    Raises DataError, naming the row, for what is no time stamp or no number.
    """
    roles, findings = infer_roles(table, data)
    stamps, numbered = _stamps(table, roles.time)
    names, codes = _names(table, roles.group)
    channels = (roles.target, *data.past, *data.known)
    values = np.stack([_numbers(table, c, c == roles.target) for c in channels], axis=1)
    rows = Rows(codes, stamps, values, numbered, lambda row: f"{table.name}, row {row + 1}")
    panel = build_panel(names, rows, frequency or data.frequency)
    static = {c: _static(table, c, names, codes) for c in data.static}
    return Source(table, roles, panel, static, (*table.findings, *findings))


def _column(table: Table, name: str, how: str = "text", form: str = "") -> NDArray[np.object_]:
    formats = {name: form} if form else None
    chunks = [chunk[name] for _, chunk in table.read({name: how}, formats)]  # type: ignore[dict-item]
    return np.concatenate(chunks)


def _stamps(table: Table, column: str) -> tuple[Stamps, bool]:
    """The time stamps, and whether they are numbers rather than times."""
    stats = table.stats(column)
    if stats.storage == "number" and stats.whole:
        numbers = _column(table, column, "number").astype(np.float64)
        stamps = np.full(len(numbers), np.datetime64("NaT", "us"))
        known = np.isfinite(numbers)
        if "year" in column.lower():
            years = [np.datetime64(f"{int(y):04d}-01-01", "us") for y in numbers[known]]
            stamps[known] = np.array(years)
            return stamps, False
        stamps[known] = numbers[known].astype(np.int64).astype("M8[us]")
        return stamps, True
    if stats.storage == "text":
        texts = _column(table, column).tolist()
        written = [t for t in texts if t is not None]
        periods, wrong = read_stamps(written)
        if wrong < 0 and written:
            result = np.full(len(texts), np.datetime64("NaT", "us"))
            result[[t is not None for t in texts]] = periods
            return result, False
    form = stats.date_format
    table.require(column, "time", form)
    if table.from_text and not form:
        _one_zone(table, column)
    return _column(table, column, "time", form).astype("M8[us]"), False


def _one_zone(table: Table, column: str) -> None:
    """DataError if some stamps have an offset from UTC and others have none."""
    texts = _column(table, column).tolist()
    known = [(i, t) for i, t in enumerate(texts) if t is not None]
    zones = [zoned(t) for _, t in known]
    if any(zones) and not all(zones):
        first = zones[0]
        odd = next(i for (i, _), z in zip(known, zones, strict=True) if z != first)
        with_zone, without = (known[0][0], odd) if first else (odd, known[0][0])
        raise DataError(
            f"`{texts[with_zone]}` has a time zone and `{texts[without]}` has none",
            where=f"{table.name}, row {odd + 1}",
            help="write all stamps with an offset such as +00:00, or none",
        )


def _names(table: Table, group: Sequence[str]) -> tuple[list[str], NDArray[np.int64]]:
    """The names of the series in order, and the number of the one that each row belongs to."""
    if not group:
        return [""], np.zeros(table.n_rows, np.int64)
    columns = [_column(table, c).tolist() for c in group]
    texts = []
    for row, cells in enumerate(zip(*columns, strict=True)):
        if None in cells:
            raise DataError(
                f"no value in `{group[cells.index(None)]}`, which tells the series apart",
                where=f"{table.name}, row {row + 1}",
                help="fill it in, or leave the row out with --query",
            )
        texts.append(BETWEEN.join(map(str, cells)))
    names, codes = np.unique(np.array(texts, dtype=object), return_inverse=True)
    return names.tolist(), codes.astype(np.int64)


def _numbers(table: Table, column: str, target: bool) -> Floats:
    """A column of numbers; NaN where there is none. Infinite ones are an error."""
    table.require(column, "number")
    values = _column(table, column, "number").astype(np.float64)
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        raise DataError(
            f"`{column}` is infinite",
            where=f"{table.name}, row {int(infinite[0]) + 1}",
            help="leave the cell empty if the value is not known",
        )
    return values


def _static(
    table: Table, column: str, names: Sequence[str], codes: NDArray[np.int64]
) -> tuple[str | None, ...]:
    """The value of each series. DataError for a series with two."""
    found: list[str | None] = [None] * len(names)
    for row, (series, text) in enumerate(zip(codes, _column(table, column), strict=True)):
        if text is None:
            continue
        if found[series] not in (None, text):
            name = f" in series `{names[series]}`" if names[series] else ""
            raise DataError(
                f"`{column}` changes from {found[series]} to {text}{name}",
                where=f"{table.name}, row {row + 1}",
                help="a static column has one value for each series; name it under --past or "
                "--known",
            )
        found[series] = text
    return tuple(found)
