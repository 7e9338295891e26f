"""From a table to training, validation and test arrays in one call."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chainrule.data.findings import Finding
from chainrule.data.gathering import ALONE, Gathering
from chainrule.data.split import Split
from chainrule.data.tables.divide import Division, divide
from chainrule.data.tables.features import Features
from chainrule.data.tables.fit import FitOptions
from chainrule.data.tables.plan import TablePlan
from chainrule.data.tables.preprocessor import Preprocessor
from chainrule.data.tables.schema import Schema
from chainrule.data.tables.table import Table

__all__ = ["Division", "Prepared", "PreparedRows", "divide", "prepare"]


@dataclass(frozen=True)
class PreparedRows:
    """Inputs and encoded targets of the rows ``rows`` of the table, in that order.

    Where rows are divided among processes, ``features`` may be those of this process alone, its
    ``own`` of all of them.
    """

    features: Features
    target: NDArray[np.int32] | NDArray[np.float32]
    rows: NDArray[np.int64]
    own: slice = field(default_factory=lambda: slice(None))
    gathering: Gathering = ALONE

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def is_divided(self) -> bool:
        """Whether other processes have the features of other rows."""
        return self.own != slice(None)

    def some(self, rows: NDArray[np.int32]) -> Features:
        """The features of a few rows (ascending), wherever they are."""
        if not self.is_divided:
            return self._taken(rows)
        first, end = np.searchsorted(rows, [self.own.start, self.own.stop])
        mine = self._taken(rows[first:end] - self.own.start)
        joined = self.gathering.joined
        return replace(mine, numeric=joined(mine.numeric), codes=joined(mine.codes))

    def _taken(self, rows: NDArray[np.int32]) -> Features:
        features = self.features
        return replace(features, numeric=features.numeric[rows], codes=features.codes[rows])


@dataclass(frozen=True)
class Prepared:
    """Everything that training needs: fitted on ``train`` alone, applied to all three parts."""

    schema: Schema
    pipeline: Preprocessor
    train: PreparedRows
    val: PreparedRows
    test: PreparedRows
    findings: tuple[Finding, ...]


def prepare(
    table: Table,
    target: str,
    plan: TablePlan | None = None,
    *,
    val: Table | None = None,
    test: Table | None = None,
    options: FitOptions | None = None,
    folder: Path | None = None,
) -> Prepared:
    """Infers the schema, splits (stratified for classes), fits on the training rows, transforms.

    What can be said of the table is in its ``plan``: ``TablePlan(missing={"chol": [0]})``. ``val``
    and ``test`` are tables of their own for these parts, which then take no rows of ``table``. The
    same table and arguments give the same bits. Arrays that are too large for memory are put into
    files of ``folder``. Raises DataError or ConfigError as ``infer_schema`` and ``split_rows`` do.
    """
    plan = (plan or TablePlan()).without(val is not None, test is not None)
    division = divide(table, target, plan)
    table, schema, usable, parts = division.table, division.schema, division.usable, division.parts
    preprocessor = Preprocessor.fit(table, schema, usable[parts.train], options)
    encoded = preprocessor.encode_target(division.values)
    examples = _examples(preprocessor, table, usable, encoded, parts, folder)
    findings = [*division.findings, *preprocessor.findings]
    for name, own in (("val", val), ("test", test)):
        if own is not None:
            examples[name] = _separate(preprocessor, own, folder)
            findings += examples[name].features.findings
    return Prepared(schema, preprocessor, **examples, findings=tuple(dict.fromkeys(findings)))


def _examples(
    preprocessor: Preprocessor,
    table: Table,
    usable: NDArray[np.int64],
    encoded: NDArray[np.int32] | NDArray[np.float32],
    parts: Split,
    folder: Path | None,
) -> dict[str, PreparedRows]:
    """The parts by name. Where the rows of the table are divided among processes, each has a share
    of the training rows, and all of the others."""
    positions: dict[str, NDArray[np.int64]] = vars(parts)
    rows = {name: usable[part] for name, part in positions.items()}
    gathering, count = table.gathering, len(parts.train)
    divided = gathering.peers is not None and count >= gathering.peers.size
    features = preprocessor.transform_parts(
        table, rows, folder=folder, divided=("train",) if divided else ()
    )
    examples = {
        n: PreparedRows(features[n], encoded[part], rows[n]) for n, part in positions.items()
    }
    if gathering.peers is not None and divided:
        own = gathering.shares(count)[gathering.peers.rank]
        examples["train"] = replace(examples["train"], own=own, gathering=gathering)
    return examples


def _separate(preprocessor: Preprocessor, table: Table, folder: Path | None) -> PreparedRows:
    """All rows with a target of a table that is a part of its own."""
    rows, target = preprocessor.target(table)
    return PreparedRows(preprocessor.transform(table, rows, folder=folder), target, rows)
