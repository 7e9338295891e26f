"""The fitted way from a table to arrays for a network, and from its outputs back to labels."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.data.findings import Finding
from chainrule.data.moments import Moments
from chainrule.data.tables.encode import Encoder, Tally
from chainrule.data.tables.features import (
    Features,
    FeatureWriter,
    cardinalities,
    code_names,
    number_names,
)
from chainrule.data.tables.fit import FitOptions, fit_encoders, read_as, read_rows, rows_here
from chainrule.data.tables.record import dump, load
from chainrule.data.tables.schema import Schema
from chainrule.data.tables.sql import CHUNK_ROWS
from chainrule.data.tables.table import Cell, Table, column_hint
from chainrule.data.tables.target import Label, Target
from chainrule.data.tables.transforms import TRANSFORMS, Transform, chosen_transform
from chainrule.errors import ConfigError, DataError

__all__ = ["Features", "Preprocessor", "read_target"]

FLOAT32_MAX = float(np.finfo(np.float32).max)
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Preprocessor:
    """Fitted on training rows: make one with ``Preprocessor.fit`` or ``from_json``."""

    schema: Schema
    encoders: tuple[Encoder, ...]
    target_mean: float = 0.0
    target_std: float = 1.0
    fitted_rows: int = 0
    findings: tuple[Finding, ...] = ()

    @staticmethod
    def fit(
        table: Table, schema: Schema, rows: Rows | None = None, options: FitOptions | None = None
    ) -> Preprocessor:
        """Fits on ``rows`` alone (ascending row numbers; None for all of the table).

        A regression target is standardised with the mean and standard deviation of those rows. A
        schema without inputs has no encoders: then something else is learned from.
        """
        encoders, findings = (
            fit_encoders(table, schema, rows, options or FitOptions())
            if schema.inputs
            else ([], [])
        )
        mean, std = 0.0, 1.0
        target = schema.target
        if target and target.task == "regression" and target.transform:
            schema, mean, std = _fit_transform(table, schema, target, rows)
            findings = [*findings, *_say_transform(target, schema.target)]
        elif target and target.task == "regression":
            mean, std = _fit_target(table.with_missing(schema.missing), target, rows)
        count = table.n_rows if rows is None else len(rows)
        return Preprocessor(schema, tuple(encoders), mean, std, count, tuple(findings))

    @property
    def transform_of_target(self) -> Transform | None:
        """What the target is learned through, if it is."""
        target = self.schema.target
        return TRANSFORMS[target.transform] if target and target.transform else None

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of ``Features.numeric``."""
        return number_names(self.encoders)

    @property
    def code_names(self) -> tuple[str, ...]:
        """The columns of ``Features.codes``."""
        return code_names(self.encoders)

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """The number of codes of each coded column, code 0 included."""
        return cardinalities(self.encoders)

    @property
    def classes(self) -> tuple[Label, ...]:
        """The labels of the target in order of their codes; empty for a regression."""
        return self.schema.target.classes if self.schema.target else ()

    def transform(
        self, table: Table, rows: Rows | None = None, *, folder: Path | None = None
    ) -> Features:
        """The inputs of the chosen ``rows`` (ascending; None for all), in that order.

        The order of the table's columns does not matter, and it may have more. A missing column or
        a cell of the wrong type is a DataError. Arrays above 1 GiB become memory-mapped files of
        ``folder``.
        """
        chosen = np.arange(table.n_rows, dtype=np.int64) if rows is None else rows
        return self.transform_parts(table, {"": chosen}, folder=folder)[""]

    def transform_parts(
        self,
        table: Table,
        parts: Mapping[str, Rows],
        *,
        folder: Path | None = None,
        divided: Collection[str] = (),
    ) -> dict[str, Features]:
        """``transform`` for several sets of rows in one pass over the table. Where its rows are
        divided among processes, each gets all of a part, or its share of a ``divided`` one."""
        writers = {
            name: FeatureWriter(self.encoders, rows[rows_here(table, rows)], folder)
            for name, rows in parts.items()
        }
        for start, chunk in self._chunks(self._check(table)):
            for writer in writers.values():
                writer.write(start, chunk)
        gathering = table.gathering
        return {
            name: writer.gathered(gathering, len(parts[name]), name in divided)
            for name, writer in writers.items()
        }

    def in_parts(
        self, table: Table, rows: Rows | None = None, *, once: bool = True
    ) -> Iterator[Features]:
        """``transform`` part after part, for who needs each but once; none is held when it has been
        handed out. The last part has the findings of all. Parts have `CHUNK_ROWS` rows, the last
        one up to twice as many. ``once``: whether nobody else will read the table."""
        table, tally = self._check(table), Tally()
        count = table.n_rows if rows is None else len(rows)
        parts = max(1, count // CHUNK_ROWS)
        for i in range(parts):
            first, end = i * CHUNK_ROWS, count if i == parts - 1 else (i + 1) * CHUNK_ROWS
            part = np.arange(first, end, dtype=np.int64) if rows is None else rows[first:end]
            yield self._part(table, part, tally, end, once)

    def _part(self, table: Table, rows: Rows, tally: Tally, tallied: int, once: bool) -> Features:
        """Some rows, with the findings of all that are ``tallied``."""
        writer = FeatureWriter(self.encoders, rows, None, tally)
        span = (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, 0)
        for start, chunk in self._chunks(table, span, once):
            writer.write(start, chunk)
        return writer.features(tallied)

    def _chunks(
        self, table: Table, span: tuple[int, int] | None = None, once: bool = False
    ) -> Iterator[tuple[int, Any]]:
        wanted = {e.column: e.read_as for e in self.encoders}
        formats = {c.name: c.format for c in self.schema.inputs if c.format}
        return table.read(wanted, formats, span=span, once=once)

    def _check(self, table: Table) -> Table:
        used = {e.column for e in self.encoders}
        for column in self.schema.columns:
            if column.name in used and column.name not in table.columns:
                raise DataError(
                    f"the table has no column `{column.name}`, which the model was trained on",
                    where=table.name,
                    help=column_hint(column.name, table.columns),
                )
        missing = {c: v for c, v in self.schema.missing.items() if c in table.columns}
        table = table.with_missing(missing)
        for column in self.schema.inputs:
            if column.name in used and not column.junk:
                table.require(column.name, read_as(column), column.format)
        return table

    def target(self, table: Table) -> tuple[Rows, NDArray[np.int32] | NDArray[np.float32]]:
        """Row numbers that have a target, and its values as the network is trained on them.

        Class codes int32, or standardised float32 for a regression.
        """
        if self.schema.target is None:
            raise ConfigError("the preprocessor was fitted without a target")
        rows, values = read_target(table, self.schema.target, self.schema.missing)
        return rows, self.encode_target(values)

    def encode_target(self, values: NDArray[np.float64]) -> NDArray[np.int32] | NDArray[np.float32]:
        """Targets as ``read_target`` gives them, as the network is trained on them."""
        if self.classes:
            return values.astype(np.int32)
        transform = self.transform_of_target
        values = values if transform is None else transform.apply(values)
        scaled = (values - self.target_mean) / self.target_std
        far = np.flatnonzero(np.abs(scaled) > FLOAT32_MAX)
        if len(far):
            raise DataError(
                f"the target {values[far[0]]:g} is too far from the training data to compute with",
                help="correct the cell, or leave the row out with a query",
            )
        return scaled.astype(np.float32)

    def decode_target(self, values: ArrayLike) -> NDArray[Any]:
        """Back to the target's own labels (from class codes) or units (from standardised numbers).

        Labels come in their own type: text, whole numbers, numbers or truth values.
        """
        array = np.asarray(values)
        if not self.classes:
            numbers = array.astype(np.float64) * self.target_std + self.target_mean
            transform = self.transform_of_target
            return numbers if transform is None else np.asarray(transform.back(numbers))
        if isinstance(self.classes[0], str):
            return np.asarray(np.array(self.classes, dtype=object)[array])
        return np.asarray(np.array(self.classes)[array])

    def to_json(self) -> str:
        """Everything that was fitted, as text; ``from_json`` gives the same one back."""
        return dump(self.schema, self.encoders, self.target_mean, self.target_std, self.fitted_rows)

    @staticmethod
    def from_json(text: str, where: str = "pipeline.json", *, alone: bool = True) -> Preprocessor:
        """Raises StateError with the place when ``text`` is not exactly what ``to_json`` writes.
        Unless it is used ``alone``, there may be no encoders."""
        schema, encoders, mean, std, rows = load(text, where, alone)
        return Preprocessor(schema, encoders, mean, std, rows)


def _fit_target(table: Table, target: Target, rows: Rows | None) -> tuple[float, float]:
    moments = Moments(1)
    form = {target.name: target.number_format}
    for _, chunk in read_rows(table, {target.name: "number"}, form, rows):
        moments.add(chunk[target.name][:, None])
    moments.together(table.gathering)
    for _, chunk in read_rows(table, {target.name: "number"}, form, rows):
        moments.add_deviations(chunk[target.name][:, None])
    moments.deviations_together(table.gathering)
    mean, std = float(moments.mean[0]), float(moments.std[0])
    if not np.isfinite([mean, std]).all():
        raise DataError(
            f"the numbers of the target `{target.name}` are too large to sum",
            where=table.name,
            help="scale the target with a query",
        )
    return mean, (std if moments.low[0] < moments.high[0] and std > 0 else 1.0)


def _fit_transform(
    table: Table, schema: Schema, target: Target, rows: Rows | None
) -> tuple[Schema, float, float]:
    """The schema with the transform of the target, and mean and deviation of what it gives."""
    known, values = read_target(table, target, schema.missing)
    trained = values if rows is None else values[np.isin(known, rows)]
    name = chosen_transform(trained, values) if target.transform == "auto" else target.transform
    schema = replace(schema, target=replace(target, transform=name))
    if not name:
        return schema, *_fit_target(table.with_missing(schema.missing), target, rows)
    TRANSFORMS[name].apply(values)  # raises for one of any part
    moments, learned = Moments(1), TRANSFORMS[name].apply(trained)[:, None]
    moments.add(learned)
    moments.add_deviations(learned)
    return schema, float(moments.mean[0]), float(moments.std[0]) or 1.0


def _say_transform(asked: Target, target: Target | None) -> list[Finding]:
    if asked.transform != "auto" or target is None or not target.transform:
        return []
    return [
        Finding(
            "D126",
            "info",
            f"the target `{target.name}` is skewed and is learned as its "
            f"{TRANSFORMS[target.transform].words}",
        )
    ]


def read_target(
    table: Table, target: Target, missing: Mapping[str, Sequence[Cell]] | None = None
) -> tuple[Rows, NDArray[np.float64]]:
    """Row numbers that have a target, and its values: class codes, or numbers of a regression.

    Raises DataError with the row when a label is none of the known classes.
    """
    if target.name not in table.columns:
        raise DataError(
            f"the table has no target column `{target.name}`",
            where=table.name,
            help=column_hint(target.name, table.columns),
        )
    table = table.with_missing({c: v for c, v in (missing or {}).items() if c == target.name})
    if not target.junk:
        table.require(target.name, target.read_as, target.number_format)
    first = table.own.start
    values = np.empty(len(table.own))
    codes: dict[object, float] = {label: float(i) for i, label in enumerate(target.classes)}
    codes[None] = math.nan
    formats = {target.name: target.number_format}
    for start, chunk in table.read({target.name: target.read_as}, formats):
        cells = chunk[target.name]
        if target.read_as != "text":
            cells = np.where(np.isinf(cells), np.nan, cells)
        if target.classes:
            cells = _class_codes(cells, codes, table, target, start)
        values[start - first : start - first + len(cells)] = cells
    values = table.gathering.joined(values)
    rows = np.flatnonzero(~np.isnan(values)).astype(np.int64)
    if not len(rows):
        raise DataError(
            f"no row has a value for the target `{target.name}`",
            where=table.name,
            help="provide rows with known targets",
        )
    return rows, values[rows]


def _class_codes(
    cells: NDArray[Any], codes: Mapping[object, float], table: Table, target: Target, start: int
) -> NDArray[np.float64]:
    keys = cells.tolist()
    if cells.dtype != object:
        keys = [None if math.isnan(cell) else cell for cell in keys]
    class_codes = list(map(codes.get, keys))
    if None in class_codes:
        row = class_codes.index(None)
        labels = [str(c) for c in target.classes]
        cell = keys[row]
        shown = f"{cell:.15g}" if isinstance(cell, float) else str(cell)
        raise DataError(
            f"`{shown}` is not a class of the target `{target.name}`",
            where=f"{table.name}, row {start + row + 1}",
            help=column_hint(shown, labels).replace("the columns are", "the classes are"),
        )
    return np.array(class_codes, dtype=np.float64)
