"""How much each row of a table counts: a column of it, or numbers that were given for its rows."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...data import Table
from ...data.tables.columns import with_column
from ...errors import ConfigError, DataError, meant
from ...runs.modality import is_pair
from ...train.weights import checked_weights
from .settings import Settings

__all__ = ["WEIGHT", "check_unmixed", "class_weights", "weights_in", "with_weights"]

#: what the column of weights is called that is made of numbers in memory
WEIGHT = "sample_weight"


def with_weights(source: object, weights: object) -> tuple[object, str]:
    """The source with the weights as a column, and the name of that: ``weights`` itself if it is a
    name."""
    if isinstance(weights, str):
        return source, weights
    if isinstance(source, str | os.PathLike | Table):
        raise ConfigError(
            f"weights are a {type(weights).__name__}, but this table needs the name of a column",
            help="pass the name of a column of weights, or the table in memory",
        )
    if is_pair(source):
        rows, target = source
        return (with_column(rows, WEIGHT, weights), target), WEIGHT
    return with_column(source, WEIGHT, weights), WEIGHT


def weights_in(table: Table, name: str) -> npt.NDArray[np.float64]:
    """The numbers of a column, one for each row. DataError for any that cannot be a weight."""
    table.require(name, "number")
    weights = table.column(name)
    try:
        return checked_weights(weights, table.n_rows)
    except DataError as error:
        bad = np.flatnonzero(~np.isfinite(weights) | (weights < 0))
        row = f", row {bad[0] + 1}" if len(bad) else ""  # of a table, rows count from 1
        raise DataError(error.what, where=f"column `{name}`{row}", help=error.help) from None


def class_weights(
    wanted: str | Mapping[str, float], classes: Sequence[object], trained: npt.NDArray[Any]
) -> npt.NDArray[np.float64] | None:
    """How much a row of each class counts: as ``wanted``, by the name of the class, 1 where nothing
    is said; or ``balanced``, all classes together alike: n / (k n_c) for a class with n_c of the
    ``trained`` rows. None for "none".

    ConfigError for a target without classes, a name that is none, and if no training row counts.
    """
    if wanted == "none":
        return None
    if not classes:
        raise ConfigError(
            "`train.class_weights` is set, but the target is a number",
            help="leave it out; data.weight names a column that says how much rows count",
        )
    counts = np.bincount(trained.astype(np.int64), minlength=len(classes))
    if isinstance(wanted, str):
        return np.asarray(counts.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1)))
    names = [str(label).lower() if isinstance(label, bool) else str(label) for label in classes]
    for name in wanted:
        if name not in names:
            raise ConfigError(
                f"`train.class_weights` names {name!r}, which is no class",
                help=f"{meant(name, names)}the classes are {', '.join(names[:10])}",
            )
    weights = np.array([wanted.get(name, 1.0) for name in names])
    if not (weights * counts).any():
        raise ConfigError(
            "`train.class_weights` leaves no training row that counts",
            help="give the classes that are to be learned a weight above 0",
        )
    return weights


def check_unmixed(settings: Settings) -> None:
    """ConfigError for weights of rows that are to be mixed."""
    weighed = settings.data.weight or settings.train.class_weights != "none"
    if weighed and settings.train.regularization.mixup:
        raise ConfigError(
            "rows that are mixed have no weight of their own",
            where="data.weight, train.class_weights, train.regularization.mixup",
            help="set train.regularization.mixup to 0, or leave the weights out",
        )
