"""From a table to training, validation and test arrays in one call."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chainrule.data.findings import Finding
from chainrule.data.split import Split, fold_rows, split_rows
from chainrule.data.tables.fit import FitOptions
from chainrule.data.tables.preprocessor import Features, Preprocessor, read_target
from chainrule.data.tables.schema import Kind, Schema, infer_schema
from chainrule.data.tables.table import Cell, Table
from chainrule.data.tables.target import Task

__all__ = ["Division", "Prepared", "PreparedRows", "divide", "prepare"]

FEW_ROWS = 100
FEW_OF_A_CLASS = 5


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


@dataclass(frozen=True)
class Division:
    """What the columns are, and which rows are for what; ``parts`` count within ``usable``, the
    rows with a target, whose ``values`` are class codes or numbers."""

    table: Table
    schema: Schema
    usable: NDArray[np.int64]
    values: NDArray[np.float64]
    parts: Split
    findings: tuple[Finding, ...]


def divide(
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
    alone: bool = True,
) -> Division:
    """The first half of `prepare`, before anything is fitted; raises what that raises. ``alone``
    is that of `infer_schema`."""
    table = table.with_missing(missing or {}).with_formats(formats or {})
    schema, findings = infer_schema(
        table, target, task=task, kinds=kinds, missing=missing, ignore=ignore, formats=formats,
        alone=alone,
    )  # fmt: skip
    assert schema.target is not None  # it was asked for
    usable, values = read_target(table, schema.target, schema.missing)
    classes = values.astype(np.int64) if schema.task != "regression" else None
    if fold is None:
        parts = split_rows(len(usable), classes=classes, fractions=fractions, seed=seed)
    else:
        share = fractions[1] / (fractions[0] + fractions[1])
        parts = fold_rows(len(usable), *fold, classes=classes, validation=share, seed=seed)
    if classes is not None:
        findings += _notice_classes(schema, classes, parts)
    if len(usable) < FEW_ROWS:
        message = f"{len(usable)} rows are few; results will vary between splits"
        findings.append(Finding("D112", "warning", message, advice="train with several seeds"))
    return Division(table, schema, usable, values, parts, tuple(findings))


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
    options: FitOptions | None = None,
    folder: Path | None = None,
) -> Prepared:
    """Infers the schema, splits (stratified for classes), fits on the training rows, transforms.

    ``fold`` (2, 5) makes the second of five folds the test part (see ``fold_rows``); the validation
    part then has its share of ``fractions`` among the other two. The same table and arguments give
    the same bits. Arrays that are too large for memory are put into files of ``folder``. Raises
    DataError or ConfigError as ``infer_schema`` and ``split_rows`` do.
    """
    division = divide(
        table, target, task=task, kinds=kinds, missing=missing, ignore=ignore, formats=formats,
        fractions=fractions, fold=fold, seed=seed,
    )  # fmt: skip
    table, schema, usable, parts = division.table, division.schema, division.usable, division.parts
    preprocessor = Preprocessor.fit(table, schema, usable[parts.train], options)
    encoded = preprocessor.encode_target(division.values)

    positions: dict[str, NDArray[np.int64]] = vars(parts)
    rows = {name: usable[part] for name, part in positions.items()}
    features = preprocessor.transform_parts(table, rows, folder=folder)
    examples = {
        n: PreparedRows(features[n], encoded[part], rows[n]) for n, part in positions.items()
    }
    return Prepared(
        schema, preprocessor, **examples, findings=(*division.findings, *preprocessor.findings)
    )


def _notice_classes(schema: Schema, codes: NDArray[np.int64], parts: Split) -> list[Finding]:
    labels = schema.target.classes if schema.target else ()
    findings = []
    counts = np.bincount(codes, minlength=len(labels))
    rare = [f"{label}: {n}" for label, n in zip(labels, counts, strict=True) if n < FEW_OF_A_CLASS]
    if rare:
        message = f"{len(rare)} of {len(labels)} classes are too rare to be evaluated"
        findings.append(Finding("D111", "warning", message, ", ".join(rare[:8])))
    trained = set(codes[parts.train].tolist())
    absent = [str(label) for i, label in enumerate(labels) if counts[i] and i not in trained]
    if absent:
        message = "classes without training rows are never predicted"
        findings.append(Finding("D111", "warning", message, ", ".join(absent[:8])))
    return findings
