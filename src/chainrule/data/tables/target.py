"""The target column: which task it sets, and its classes with their own types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from chainrule.data.findings import Finding, Setting
from chainrule.data.tables.column_stats import ColumnStats
from chainrule.data.tables.table import ReadAs, Table
from chainrule.errors import ConfigError, DataError

__all__ = ["Label", "Target", "Task", "infer_target"]

Task = Literal["binary", "multiclass", "regression"]
Label = str | int | float | bool

MAX_NUMBER_CLASSES = 10
MAX_CLASSES = 1000

#: what a target of a kind can be learned as
TASKS_OF: Mapping[str, tuple[Task, ...]] = {
    "number": ("regression",),
    "boolean": ("binary", "multiclass"),
    "category": ("binary", "multiclass"),
}


@dataclass(frozen=True)
class Target:
    """``classes`` are in order: class i of the model is ``classes[i]``; none for regression.

    Numbers ascend, False comes before True, text is in order of its code points; in a binary task
    the second class is the one whose probability is predicted. ``number_format`` is how text spells
    numbers (see `NumberForm`); ``junk``: cells that are none are missing. Of numbers, ``quantiles``
    are predicted, if there are any, and they are learned through a ``transform`` (see
    `transforms`), "auto" until the training rows decide.
    """

    name: str
    task: Task
    classes: tuple[Label, ...] = ()
    number_format: str = ""
    junk: bool = False
    quantiles: tuple[float, ...] = ()
    transform: str = ""

    @property
    def read_as(self) -> ReadAs:
        """How the cells of the target are read."""
        if self.classes and isinstance(self.classes[0], str):
            return "text"
        return "truth" if self.classes and isinstance(self.classes[0], bool) else "number"


def infer_target(
    table: Table,
    name: str,
    task: Task | None,
    findings: list[Finding],
    kind: str | None = None,
) -> Target:
    """The task that column ``name`` sets. Appends to ``findings`` what was decided for the user.

    Two values make a binary task; more values of text, or up to ten different whole numbers, a
    multiclass one; other numbers a regression. A ``kind`` decides instead: a number is a
    regression, a category or boolean a class. Raises DataError when the target has no value, one
    value, or a different text in every row; ConfigError for a kind that is no target, or not one
    of ``task``.
    """
    stats = table.stats(name)
    if task is not None and task not in ("binary", "multiclass", "regression"):
        raise ConfigError(f"unknown task `{task}`", help="use binary, multiclass or regression")
    if kind is not None:
        _check_kind(name, kind, task)
    _refuse_unusable(table, name, stats, kind)
    if stats.present < stats.rows or stats.infinite:
        _note_left_out(name, stats, findings)
    written: dict[str, Any] = {"number_format": stats.number_format, "junk": stats.junk > 0}
    if kind == "number":
        table.require(name, "number")
        return Target(name, "regression", **written)
    if kind == "boolean":
        table.require(name, "truth")
        return Target(name, task or "binary", (False, True))
    quantity = kind is None and (task == "regression" or _is_regression(stats, task))
    if stats.storage == "number" and quantity:
        return Target(name, "regression", **written)
    if task == "regression":
        raise DataError(
            f"the target `{name}` is not numeric, so the task cannot be regression",
            where=table.name,
            help="leave the task out, or convert the column to numbers with a query",
        )
    classes = _classes(table, name, stats)
    if task == "binary" and len(classes) != 2:
        raise DataError(
            f"the target `{name}` has {len(classes)} classes, but a binary task needs 2",
            where=table.name,
            help=f"the classes are {', '.join(map(repr, classes[:10]))}",
        )
    if stats.storage == "number" and len(classes) > 2 and task is kind is None:
        findings.append(
            Finding(
                "D110",
                "warning",
                f"the target `{name}` is treated as {len(classes)} classes, not as a quantity",
                f"integers from {classes[0]} to {classes[-1]}",
                setting=Setting(("data", "task"), "regression"),
            )
        )
    task = task or ("binary" if len(classes) == 2 else "multiclass")
    return Target(name, task, classes, **written)


def _check_kind(name: str, kind: str, task: Task | None) -> None:
    """ConfigError for a kind that cannot be predicted, or that contradicts the task."""
    if kind not in TASKS_OF:
        raise ConfigError(
            f"the target `{name}` cannot be `{kind}`",
            help="a target is a number, a boolean or a category; leave out its kind to infer it",
        )
    if task is not None and task not in TASKS_OF[kind]:
        raise ConfigError(
            f"the target `{name}` cannot be a {kind} in a {task} task",
            help=f"leave one of the two out: a {kind} makes a {' or '.join(TASKS_OF[kind])} task",
        )


def _refuse_unusable(table: Table, name: str, stats: ColumnStats, kind: str | None) -> None:
    usable = stats.present - stats.infinite
    if stats.storage == "empty" or usable <= 0:
        raise DataError(
            f"the target `{name}` is missing in every row",
            where=table.name,
            help="choose another target column, or check how the file was created",
        )
    if stats.storage in ("datetime", "nested"):
        raise DataError(
            f"the target `{name}` holds {'dates' if stats.storage == 'datetime' else 'lists'}",
            where=table.name,
            help="a target must be a number or a class; convert it with a query",
        )
    if stats.distinct - (1 if stats.infinite else 0) < 2:
        raise DataError(
            f"the target `{name}` has only one value, so there is nothing to learn",
            where=table.name,
            help="choose another target column",
        )
    if stats.storage != "text" or kind == "number":
        return
    if stats.distinct == stats.present and stats.present > 2:
        raise DataError(
            f"the target `{name}` is different in every row, so it identifies rows, not classes",
            where=table.name,
            help="choose another target column",
        )
    if stats.distinct > MAX_CLASSES:
        raise DataError(
            f"the target `{name}` has {stats.distinct} classes, but at most {MAX_CLASSES} are "
            "supported",
            where=table.name,
            help="group them with a query",
        )


def _note_left_out(name: str, stats: ColumnStats, findings: list[Finding]) -> None:
    absent = stats.rows - stats.present
    parts = [f"{absent} without a value"] if absent else []
    parts += [f"{stats.infinite} infinite"] if stats.infinite else []
    parts += [f"{stats.words} of them words such as NA"] if stats.words and absent else []
    parts += [f"{stats.junk} of them no numbers"] if stats.junk else []
    findings.append(
        Finding(
            "D109",
            "warning",
            f"{absent + stats.infinite} of {stats.rows} rows have no target `{name}` and are left "
            "out",
            ", ".join(parts),
        )
    )


def _is_regression(stats: ColumnStats, task: Task | None) -> bool:
    if task is not None or stats.distinct == 2:
        return False
    # As many different numbers as half the rows are no classes, however few they are.
    few = stats.distinct <= MAX_NUMBER_CLASSES and 2 * stats.distinct <= stats.present
    return not (stats.whole and few)


def _classes(table: Table, name: str, stats: ColumnStats) -> tuple[Label, ...]:
    if stats.storage == "boolean":
        return (False, True)
    if stats.storage == "text":
        return tuple(sorted(table.count_values(name)))
    if stats.distinct > MAX_CLASSES:
        raise DataError(
            f"the target `{name}` has {stats.distinct} distinct numbers, too many for classes",
            where=table.name,
            help="learn it as a regression, or group them with a query",
        )
    values = sorted(float(v) for v in table.count_values(name, "number text"))
    finite = [v for v in values if v not in (float("inf"), float("-inf"))]
    return tuple(int(v) if v.is_integer() and abs(v) < 2**53 else v for v in finite)
