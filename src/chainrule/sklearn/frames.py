"""Tables as estimators get them: data frames and arrays, as columns with names."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import validate_data

from ..data.tables.columns import with_column
from ..errors import DataError, DTypeError

__all__ = ["check_classes", "checked_table", "columns_of", "free_name", "is_frame", "merged_rows"]

Array = npt.NDArray[Any]
Columns = dict[str, Array]

#: tables of no more rows are looked through for rows that are equal
MERGED_ROWS = 4096
#: of which rows are copies if there are no more of each on average
COPIES = 4


def is_frame(X: Any) -> bool:
    """Whether ``X`` is a data frame, or a table of Arrow: what has columns of its own types."""
    return hasattr(X, "columns") and hasattr(X, "shape")


def checked_table(estimator: Any, X: Any, reset: bool) -> Any:
    """``X`` with the columns of the fit, or with ``reset`` the first time: a frame as it is, all
    else as a 2-d array. ValueError for what is neither, or has others."""
    if is_frame(X):
        return validate_data(estimator, X, skip_check_array=True, reset=reset)
    return validate_data(
        estimator, X, dtype=None, ensure_all_finite="allow-nan", reset=reset,
        ensure_min_samples=2 if reset else 1,
    )  # fmt: skip


def columns_of(X: Any) -> Columns:
    """The columns of a table by name; ``x0``, ``x1``, ... of an array."""
    if isinstance(X, np.ndarray):
        columns = {f"x{i}": X[:, i] for i in range(X.shape[1])}
    else:
        name = free_name([str(column) for column in X.columns], "row")
        columns = with_column(X, name, np.zeros(X.shape[0]))
        del columns[name]
    return {name: _readable(name, values) for name, values in columns.items()}


def _readable(name: str, values: Array) -> Array:
    """Objects that are all numbers as numbers; DTypeError for cells that no table can hold."""
    if values.dtype.kind != "O":
        return values
    for row, value in enumerate(values):
        if isinstance(value, dict | list | tuple | set | complex | np.ndarray):
            raise DTypeError(
                f"column `{name}` holds a {type(value).__name__}: an argument must be a string, a "
                "date or a number",
                where=f"row {row}",
                help="spread it over columns of its own",
            )
    return values


def free_name(taken: Any, wanted: str) -> str:
    """``wanted``, with underscores until no column is called so."""
    while wanted in taken:
        wanted += "_"
    return wanted


def merged_rows(columns: Columns, y: Array, weights: Array) -> tuple[Columns, Array, Array]:
    """Rows that are equal, as one with the sum of their weights, in an order of their own; those
    that weigh nothing are left out.

    Otherwise copies of a training row, as of a bootstrap sample, would be among those for
    validation, and tell nothing there. The result does not depend on the order of rows. Large
    tables stay as they are, and so do those of few different rows, which are no copies then.
    """
    kept = np.flatnonzero(weights)
    columns = {name: values[kept] for name, values in columns.items()}
    y, weights = y[kept], weights[kept]
    if len(kept) > MERGED_ROWS:
        return columns, y, weights
    keys = np.column_stack([_codes(values) for values in (*columns.values(), y)])
    _, first, group = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    if COPIES * len(first) < len(kept):
        return columns, y, weights
    return (
        {name: values[first] for name, values in columns.items()},
        y[first],
        np.bincount(group.reshape(-1), weights),
    )


def _codes(values: Array) -> npt.NDArray[np.int64]:
    """A number for each value that is larger for a larger one."""
    if values.dtype.kind in "biufmM":
        return np.unique(values, return_inverse=True)[1].reshape(-1)
    return np.unique([_sortable(v) for v in values], return_inverse=True)[1].reshape(-1)


def _sortable(value: Any) -> str:
    """Text that tells values apart, sorted by the numbers and dates that they are."""
    if isinstance(value, datetime.date):
        return value.isoformat()
    return f"{type(value).__name__} {value!r}"


def check_classes(labels: Array) -> None:
    """DataError for a target with one class."""
    if len(labels) < 2:
        raise DataError(
            f"the target has one class, {labels.tolist()[0]!r}: there is nothing to tell apart",
            help="pass rows of at least two classes that count",
        )
