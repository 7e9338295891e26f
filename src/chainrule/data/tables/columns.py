"""Columns of Python data as NumPy arrays that DuckDB takes without guessing.

Each value of an object column is looked at: a column of mixed types is an error with the row, where
a database would turn it into text without a word.
"""

from __future__ import annotations

import datetime
import math
import numbers
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeGuard

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import DataError
from chainrule.lazily import Lazy

if TYPE_CHECKING:
    import decimal
else:
    decimal = Lazy("decimal")

__all__ = ["is_frame", "numpy_columns", "with_column"]

Column = tuple[str, NDArray[Any], str]  # name, values, SQL type to cast to ("" for as it is)


def is_frame(value: object, library: str, names: Sequence[str]) -> TypeGuard[Any]:
    """Whether ``value`` is of a class of ``library``, told by name so that it is not imported."""
    kind = type(value)
    return kind.__module__.split(".")[0] == library and kind.__name__ in names


def numpy_columns(source: object, names: Sequence[str] | None) -> list[Column]:
    """The columns of a data frame, dict, structured array or 2-D array."""
    pairs = _pairs(source, names)
    lengths = {name: len(values) for name, values in pairs}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{n}: {k}" for n, k in lengths.items())
        raise DataError("the columns have different lengths", where=listed)
    return [_column(name, values) for name, values in pairs]


def with_column(source: object, name: str, values: Any) -> dict[str, NDArray[Any]]:
    """The columns of what `numpy_columns` takes, or of a pyarrow table, and one more of them.

    DataError for a name that is there already.
    """
    if is_frame(source, "pyarrow", ("Table", "RecordBatch")):
        source = {str(n): source[n].to_pylist() for n in source.column_names}
    columns = dict(_pairs(source, None))
    rows = {len(cells) for cells in columns.values()}
    listed = isinstance(values, list | tuple) and rows != {len(values)}
    if listed and all(isinstance(v, str) and v in columns for v in values):
        refuse_several(values)
    if name in columns:
        raise DataError(
            f"there is a column `{name}` already, and the target is to be called so",
            help="pass its name if it is the target, or rename it",
        )
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2 and array.shape[1] > 1:
        refuse_several([str(n) for n in getattr(values, "columns", range(array.shape[1]))])
    if array.ndim != 1:
        raise DataError(f"the target has shape {array.shape}", help="pass one value for each row")
    if len(rows) == 1 and (count := rows.pop()) != len(array):
        raise DataError(
            f"there are {count} rows, but {len(array)} values of the target",
            help="pass one value for each row",
        )
    return {**columns, name: array}


def refuse_several(names: Sequence[str]) -> NoReturn:
    """DataError: one column is learned at a time."""
    raise DataError(
        f"{len(names)} targets were given: {', '.join(names[:8])}",
        help="put them into the table, name one as the target and the others as also=[...]",
    )


def _pairs(source: object, names: Sequence[str] | None) -> list[tuple[str, NDArray[Any]]]:
    if is_frame(source, "pandas", ("DataFrame",)):
        frame = [source.iloc[:, i] for i in range(source.shape[1])]
        return [(str(n), _pandas_values(s)) for n, s in zip(source.columns, frame, strict=True)]
    if is_frame(source, "polars", ("DataFrame",)):
        return [(s.name, _polars_values(s)) for s in source.get_columns()]
    if isinstance(source, Mapping):
        return [(str(name), _as_array(str(name), values)) for name, values in source.items()]
    if isinstance(source, np.ndarray) and source.dtype.names:
        return [(name, source[name]) for name in source.dtype.names]
    if isinstance(source, np.ndarray) and source.ndim == 2:
        width = source.shape[1]
        names = list(names) if names is not None else [f"x{i}" for i in range(width)]
        if len(names) != width:
            raise DataError(f"got {len(names)} column names for {width} columns")
        return [(name, source[:, i]) for i, name in enumerate(names)]
    shape = f" of shape {source.shape}" if isinstance(source, np.ndarray) else ""
    raise DataError(
        f"a {type(source).__name__}{shape} is not a table",
        help="pass a path, a data frame of polars or pandas, a pyarrow table, a dict of columns or "
        "a 2-D array",
    )


def _pandas_values(series: Any) -> NDArray[Any]:
    if isinstance(series.dtype, np.dtype):
        return np.asarray(series.to_numpy())
    return np.asarray(series.to_numpy(dtype=object), dtype=object)


def _polars_values(series: Any) -> NDArray[Any]:
    if series.null_count() and not (series.dtype.is_float() or series.dtype.is_temporal()):
        return _as_array(series.name, series.to_list())
    return np.asarray(series.to_numpy())


def _as_array(name: str, values: Any) -> NDArray[Any]:
    if isinstance(values, np.ndarray):
        return values
    if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
        raise DataError(f"column `{name}` is a single value, not a list")
    if is_frame(values, "pandas", ("Series",)):
        return _pandas_values(values)
    if is_frame(values, "polars", ("Series",)):
        return _polars_values(values)
    array = np.empty(len(values), dtype=object)
    array[:] = [v.item() if isinstance(v, np.generic) else v for v in values]
    return array


def _column(name: str, values: NDArray[Any]) -> Column:
    if values.ndim != 1:
        raise DataError(
            f"column `{name}` has shape {values.shape}",
            help="columns are one-dimensional; split it into columns with names of their own",
        )
    if isinstance(values, np.ma.MaskedArray):
        plain = values.data.astype(object)
        plain[np.ma.getmaskarray(values)] = None
        return _object_column(name, plain)
    kind = values.dtype.kind
    if kind in "iu":
        return name, np.ascontiguousarray(values), ""
    if kind == "f":
        return name, np.ascontiguousarray(values, dtype=np.float64), ""
    if kind == "b":
        return name, np.ascontiguousarray(values), "BOOLEAN"
    if kind == "M":
        return name, np.ascontiguousarray(values.astype("M8[us]")), "TIMESTAMP"
    if kind == "m":
        seconds = values / np.timedelta64(1, "s")
        return name, np.ascontiguousarray(seconds, dtype=np.float64), ""
    if kind in "USO":
        return _object_column(name, values.astype(object))
    raise DataError(f"column `{name}` has dtype {values.dtype}, which tables do not support")


def _is_missing(value: object) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, float | np.floating | decimal.Decimal):
        return math.isnan(value)
    return isinstance(value, np.datetime64) and bool(np.isnat(value))


def _kind(value: object) -> str:
    if isinstance(value, bool | np.bool_):
        return "a truth value"
    if isinstance(value, numbers.Real | decimal.Decimal):
        return "a number"
    if isinstance(value, str | bytes):
        return "text"
    if isinstance(value, datetime.date | np.datetime64):
        return "a date"
    return f"a {type(value).__name__}"


def _object_column(name: str, values: NDArray[Any]) -> Column:
    missing = np.fromiter((_is_missing(v) for v in values), bool, len(values))
    kinds = [_kind(v) for v in values[~missing]]
    if not kinds:
        return name, values.copy(), "VARCHAR"
    if len(set(kinds)) > 1:
        odd = next(i for i, k in enumerate(kinds) if k != kinds[0])
        row = int(np.flatnonzero(~missing)[odd])
        raise DataError(
            f"column `{name}` mixes types: it starts with {kinds[0]} and then has {kinds[odd]}",
            where=f"row {row + 1}: {values[row]!r}",
            help="all values of a column need the same type, with None for missing ones",
        )
    if kinds[0] == "a number":
        present = [v for v, m in zip(values, missing, strict=True) if not m]
        whole = not missing.any() and all(isinstance(v, numbers.Integral) for v in present)
        if whole and all(-(2**63) <= v < 2**63 for v in present):
            return name, np.array(present, dtype=np.int64), ""
        floats = [math.nan if m else float(v) for v, m in zip(values, missing, strict=True)]
        return name, np.array(floats, dtype=np.float64), ""
    if kinds[0] == "a date":
        moments = [None if m else _moment(v) for v, m in zip(values, missing, strict=True)]
        return name, np.array(moments, dtype="M8[us]"), "TIMESTAMP"
    if kinds[0] not in ("text", "a truth value"):
        raise DataError(
            f"column `{name}` holds {kinds[0]} in each cell",
            help="a cell must be a number, a boolean, text or a date",
        )
    texts = np.empty(len(values), dtype=object)
    texts[:] = [None if m else _text(name, v) for v, m in zip(values, missing, strict=True)]
    return name, texts, "VARCHAR" if kinds[0] == "text" else "BOOLEAN"


def _text(name: str, value: object) -> str:
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            raise DataError(f"column `{name}` holds bytes that are not UTF-8: {value!r}") from None
    return str(value)


def _moment(value: Any) -> Any:
    """A moment in UTC without a time zone, as the database stores it."""
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return np.datetime64(value.astimezone(datetime.UTC).replace(tzinfo=None), "us")
    return np.datetime64(value, "us")
