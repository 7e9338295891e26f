"""What is said about a table before it is looked at: what its columns are, who learns from it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from chainrule.data.tables.schema import Kind
from chainrule.data.tables.table import Cell
from chainrule.data.tables.target import Task
from chainrule.errors import ConfigError

__all__ = ["Dividing", "TablePlan", "without_parts"]

Fractions = tuple[float, float, float]


@dataclass(frozen=True)
class Dividing:
    """By which column rows are divided: rows with the same ``group`` stay together, or earlier
    rows by ``time`` are for training and later ones for the test. Neither: at random."""

    group: str = ""
    time: str = ""

    def __post_init__(self) -> None:
        if self.group and self.time:
            raise ConfigError(
                "rows cannot be split by groups and by time at once",
                help="leave out data.split_group or data.split_time",
            )


@dataclass(frozen=True)
class TablePlan:
    """What is said about a table beside its target; all of it may be left out.

    ``task``, ``kinds``, ``missing``, ``ignore``, ``formats`` and ``alone`` are those of
    `infer_schema`; ``fractions``, of training, validation and test, and ``seed`` those of
    `split_rows`. ``fold`` (2, 5) makes the second of five folds the test part (see `fold_rows`);
    the validation part then has its share of ``fractions`` among the other two. ``bag`` (2, 5)
    makes the second fifth of the rows that are not for the test the validation part (see
    `bag_rows`). ``by`` divides by groups or time instead. ``quantiles`` and ``transform`` are
    those of a `Target` of numbers.
    """

    task: Task | None = None
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    missing: Mapping[str, Sequence[Cell]] = field(default_factory=dict)
    ignore: Collection[str] = ()
    formats: Mapping[str, str] = field(default_factory=dict)
    alone: bool = True
    fractions: Fractions = (0.7, 0.15, 0.15)
    fold: tuple[int, int] | None = None
    bag: tuple[int, int] | None = None
    seed: int = 0
    by: Dividing = field(default_factory=Dividing)
    quantiles: tuple[float, ...] = ()
    transform: str = ""

    def without(self, val: bool, test: bool) -> TablePlan:
        """The same when validation or test rows come from elsewhere."""
        return replace(self, fractions=without_parts(self.fractions, val, test))

    @property
    def ignored(self) -> Collection[str]:
        """The columns that are no inputs. What is known of the groups of training says nothing
        about others, unless the column of groups is given a kind."""
        group = self.by.group
        return [*self.ignore, group] if group and group not in self.kinds else self.ignore


def without_parts(fractions: Fractions, val: bool, test: bool) -> Fractions:
    """``fractions`` when validation or test rows come from elsewhere."""
    train, held, tested = fractions
    held, tested = (0.0 if val else held), (0.0 if test else tested)
    total = train + held + tested
    return train / total, held / total, tested / total
