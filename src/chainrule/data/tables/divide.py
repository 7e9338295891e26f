"""Which rows of a table are for training, validation and test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.findings import Finding, Setting
from chainrule.data.grouped import bag_groups, fold_groups, split_by_time, split_groups
from chainrule.data.split import Split, bag_rows, fold_rows, split_rows
from chainrule.data.tables.fit import rows_here
from chainrule.data.tables.plan import TablePlan
from chainrule.data.tables.preprocessor import read_target
from chainrule.data.tables.schema import Schema, infer_schema
from chainrule.data.tables.table import ReadAs, Table
from chainrule.errors import ConfigError, DataError

__all__ = ["Division", "divide"]

FEW_ROWS = 100
FEW_OF_A_CLASS = 5
#: share of the most frequent class from which accuracy says little
UNBALANCED = 0.9


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


def divide(table: Table, target: str, plan: TablePlan | None = None) -> Division:
    """The first half of `prepare`, before anything is fitted; raises what that raises."""
    plan = plan or TablePlan()
    table = table.with_missing(plan.missing).with_formats(plan.formats)
    for name in filter(None, (plan.by.group, plan.by.time)):
        table.index(name)
        if name == target:
            raise ConfigError(f"rows cannot be split by the target, `{name}`")
    schema, findings = infer_schema(
        table, target, task=plan.task, kinds=plan.kinds, missing=plan.missing,
        ignore=plan.ignored, formats=plan.formats, alone=plan.alone,
    )  # fmt: skip
    schema = _as_wished(schema, plan.quantiles, plan.transform)
    assert schema.target is not None  # it was asked for
    usable, values = read_target(table, schema.target, schema.missing)
    classes = values.astype(np.int64) if schema.task != "regression" else None
    parts = _parts(table, usable, classes, plan, findings)
    if classes is not None:
        findings += _notice_classes(schema, classes, parts)
    if len(usable) < FEW_ROWS:
        message = f"{len(usable)} rows are few; results will vary between splits"
        findings.append(Finding("D112", "warning", message, advice="train with several seeds"))
    return Division(table, schema, usable, values, parts, tuple(findings))


def _as_wished(schema: Schema, quantiles: tuple[float, ...], transform: str) -> Schema:
    """The schema with what a target of numbers is learned as. ConfigError for classes."""
    target = schema.target
    assert target is not None
    wish = "quantiles" if quantiles else "transform" if transform not in ("", "auto") else ""
    if wish and target.classes:
        raise ConfigError(
            f"the target `{target.name}` has classes, which have no {wish}",
            help=f"leave out data.{wish}, or set data.task to regression",
        )
    if target.classes:
        return schema
    return replace(schema, target=replace(target, quantiles=quantiles, transform=transform))


def _parts(
    table: Table,
    usable: NDArray[np.int64],
    classes: NDArray[np.int64] | None,
    plan: TablePlan,
    findings: list[Finding],
) -> Split:
    """The rows of each part, among the ``usable`` ones."""
    by, seed, fractions, fold, bag = plan.by, plan.seed, plan.fractions, plan.fold, plan.bag
    share = fractions[1] / (fractions[0] + fractions[1])
    if by.group:
        groups = _groups(table, by.group, usable)
        parts = (
            fold_groups(groups, *fold, share, seed)
            if fold
            else split_groups(groups, fractions, seed)
        )
        parts = bag_groups(parts, groups, *bag, seed) if bag else parts
        findings.append(_say_groups(by.group, groups, parts))
        return parts
    if by.time:
        if fold or bag:
            raise ConfigError(
                "folds cannot be combined with a split by time: they would train on the future",
                help="leave out the folds (preset best has some), or data.split_time",
            )
        times = _times(table, by.time, usable)
        parts, firsts = split_by_time(times, fractions)
        findings.append(_say_times(by.time, times, firsts))
        return parts
    if fold:
        return fold_rows(len(usable), *fold, classes=classes, validation=share, seed=seed)
    parts = split_rows(len(usable), classes=classes, fractions=fractions, seed=seed)
    return bag_rows(parts, *bag, classes=classes, seed=seed) if bag else parts


def _column(table: Table, name: str, how: ReadAs, rows: NDArray[np.int64]) -> NDArray[Any]:
    form = table.stats(name).date_format if how == "time" else None
    return table.column(name, how, form)[rows]


def _refuse_gaps(table: Table, name: str, gaps: NDArray[np.bool_], rows: NDArray[np.int64]) -> None:
    if gaps.any():
        raise DataError(
            f"{int(gaps.sum())} rows have no `{name}`, by which the rows are split",
            where=f"{table.name}, row {int(rows[np.argmax(gaps)]) + 1}",
            help="fill these cells, or leave the rows out with a query",
        )


def _groups(table: Table, name: str, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The number of the group of each of ``rows``."""
    gathering = table.gathering
    here = rows[rows_here(table, rows)] - table.own.start
    cells = table.column(name, "text")[here].tolist()
    gaps = np.array([cell is None for cell in cells], dtype=bool)
    _refuse_gaps(table, name, gathering.joined(gaps), rows)
    every = {group for own in gathering.each(sorted(set(cells))) for group in own}
    number = {group: i for i, group in enumerate(sorted(every))}
    return gathering.joined(np.array([number[cell] for cell in cells], np.int64))


def _times(table: Table, name: str, rows: NDArray[np.int64]) -> NDArray[Any]:
    """The moment of each of ``rows``, or a number that grows with time."""
    storage = table.stats(name).storage
    if storage not in ("datetime", "number"):
        raise DataError(
            f"column `{name}` holds neither dates nor numbers, so rows cannot be split by it",
            where=table.name,
            help="give its format, for example data.formats.COLUMN=%d/%m/%Y, or another column",
        )
    times = _column(table, name, "time" if storage == "datetime" else "number", rows)
    _refuse_gaps(table, name, np.isnat(times) if storage == "datetime" else np.isnan(times), rows)
    return times


def _say_groups(name: str, groups: NDArray[np.int64], parts: Split) -> Finding:
    counts = [
        f"{len(np.unique(groups[rows]))} for {part}"
        for part, rows in (("training", parts.train), ("validation", parts.val),
                           ("the test", parts.test)) if len(rows)
    ]  # fmt: skip
    message = f"each group of `{name}` is in one part, and the column itself is left out"
    return Finding("D123", "info", message, f"{groups.max() + 1} groups: {', '.join(counts)}")


def _say_times(name: str, times: NDArray[Any], firsts: Sequence[int]) -> Finding:
    begins = ", ".join(_moment(times[row]) for row in firsts)
    message = f"rows are split by `{name}`: the parts follow one another in time"
    return Finding("D124", "info", message, f"they begin at {begins}")


def _moment(value: Any) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)[:19].replace("T00:00:00", "")


def _notice_classes(schema: Schema, codes: NDArray[np.int64], parts: Split) -> list[Finding]:
    labels = schema.target.classes if schema.target else ()
    findings = []
    counts = np.bincount(codes, minlength=len(labels))
    rare = [f"{label}: {n}" for label, n in zip(labels, counts, strict=True) if n < FEW_OF_A_CLASS]
    if rare:
        message = f"{len(rare)} of {len(labels)} classes are too rare to be evaluated"
        findings.append(Finding("D111", "warning", message, ", ".join(rare[:8])))
    if counts.max() >= UNBALANCED * len(codes):
        most = labels[int(counts.argmax())]
        findings.append(
            Finding(
                "D125",
                "warning",
                f"`{most}` is {counts.max() / len(codes):.1%} of the rows: who always says so is "
                "as often right",
                ", ".join(f"{label}: {n}" for label, n in zip(labels, counts, strict=True))
                if len(labels) <= 8
                else "",
                "to choose the epoch by all classes alike",
                Setting(("train", "metric"), "balanced_accuracy"),
            )
        )
    trained = set(codes[parts.train].tolist())
    absent = [str(label) for i, label in enumerate(labels) if counts[i] and i not in trained]
    if absent:
        message = "classes without training rows are never predicted"
        findings.append(Finding("D111", "warning", message, ", ".join(absent[:8])))
    return findings
