"""From a table to training, validation and test arrays in one call."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chainrule.data.findings import Finding
from chainrule.data.split import Split
from chainrule.data.tables.divide import AT_RANDOM, Dividing, Division, divide
from chainrule.data.tables.fit import FitOptions
from chainrule.data.tables.preprocessor import Features, Preprocessor
from chainrule.data.tables.schema import Kind, Schema
from chainrule.data.tables.table import Cell, Table
from chainrule.data.tables.target import Task

__all__ = ["Division", "Prepared", "PreparedRows", "divide", "prepare"]


@dataclass(frozen=True)
class PreparedRows:
    """Inputs and encoded targets of the rows ``rows`` of the table, in that order."""

    features: Features
    target: NDArray[np.int32] | NDArray[np.float32]
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)


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
    *,
    task: Task | None = None,
    kinds: Mapping[str, Kind] | None = None,
    missing: Mapping[str, Sequence[Cell]] | None = None,
    ignore: Collection[str] = (),
    formats: Mapping[str, str] | None = None,
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
    fold: tuple[int, int] | None = None,
    seed: int = 0,
    by: Dividing = AT_RANDOM,
    val: Table | None = None,
    test: Table | None = None,
    options: FitOptions | None = None,
    folder: Path | None = None,
) -> Prepared:
    """Infers the schema, splits (stratified for classes), fits on the training rows, transforms.

    ``fold`` (2, 5) makes the second of five folds the test part (see ``fold_rows``); the validation
    part then has its share of ``fractions`` among the other two. ``by`` divides by groups or time
    instead; ``val`` and ``test`` are tables of their own for these parts, which then take no rows
    of ``table``. The same table and arguments give the same bits. Arrays that are too large for
    memory are put into files of ``folder``. Raises DataError or ConfigError as ``infer_schema`` and
    ``split_rows`` do.
    """
    fractions = without_parts(fractions, val is not None, test is not None)
    division = divide(
        table, target, task=task, kinds=kinds, missing=missing, ignore=ignore, formats=formats,
        fractions=fractions, fold=fold, seed=seed, by=by,
    )  # fmt: skip
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


def without_parts(
    fractions: tuple[float, float, float], val: bool, test: bool
) -> tuple[float, float, float]:
    """``fractions`` when validation or test rows come from elsewhere."""
    train, held, tested = fractions
    held, tested = (0.0 if val else held), (0.0 if test else tested)
    total = train + held + tested
    return train / total, held / total, tested / total


def _examples(
    preprocessor: Preprocessor,
    table: Table,
    usable: NDArray[np.int64],
    encoded: NDArray[np.int32] | NDArray[np.float32],
    parts: Split,
    folder: Path | None,
) -> dict[str, PreparedRows]:
    positions: dict[str, NDArray[np.int64]] = vars(parts)
    rows = {name: usable[part] for name, part in positions.items()}
    features = preprocessor.transform_parts(table, rows, folder=folder)
    return {n: PreparedRows(features[n], encoded[part], rows[n]) for n, part in positions.items()}


def _separate(preprocessor: Preprocessor, table: Table, folder: Path | None) -> PreparedRows:
    """All rows with a target of a table that is a part of its own."""
    rows, target = preprocessor.target(table)
    return PreparedRows(preprocessor.transform(table, rows, folder=folder), target, rows)
