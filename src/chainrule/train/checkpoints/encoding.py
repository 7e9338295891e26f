"""States as JSON text and named arrays, without loss and without code.

A state is made of None, truth values, whole numbers, floats, text, lists, tuples, dicts and arrays.
JSON knows neither tuples, nor keys that are numbers, nor infinity: those, and the places of arrays,
are written as ``{"$kind": ...}``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import StateError

__all__ = ["decoded", "encoded"]

Arrays = dict[str, npt.NDArray[Any]]


def encoded(state: Any) -> tuple[Any, Arrays]:
    """What `json.dumps` takes, and the arrays that were in it, by their paths; each array once."""
    arrays: Arrays = {}
    return _encode(state, "", arrays), arrays


def _encode(value: Any, path: str, arrays: Arrays) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, np.ndarray):
        known = [name for name, array in arrays.items() if array is value]
        if known:  # a parameter with two names
            return {"$array": known[0]}
        while path in arrays:  # {"a.b": x, "a": {"b": y}}
            path += "'"
        arrays[path] = value
        return {"$array": path}
    if isinstance(value, Mapping):
        return _encode_dict(value, path, arrays)
    if isinstance(value, list | tuple):
        items = [_encode(v, _below(path, i), arrays) for i, v in enumerate(value)]
        return items if isinstance(value, list) else {"$tuple": items}
    raise StateError(
        f"a {type(value).__name__} cannot be stored in a checkpoint",
        where=path,
        help="state() may return numbers, text, lists, tuples, dicts and arrays",
    )


def _encode_dict(value: Mapping[Any, Any], path: str, arrays: Arrays) -> Any:
    pairs = [(k, _encode(v, _below(path, k), arrays)) for k, v in value.items()]
    if all(isinstance(k, str) and not k.startswith("$") for k, _ in pairs):
        return dict(pairs)
    return {"$dict": [[k, v] for k, v in pairs]}


def _below(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)


def decoded(value: Any, arrays: Mapping[str, npt.NDArray[Any]]) -> Any:
    """The state of which `encoded` made ``value`` and ``arrays``."""
    if isinstance(value, list):
        return [decoded(v, arrays) for v in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((kind, content),) = value.items()
        if kind == "$array":
            return arrays[content]
        if kind == "$tuple":
            return tuple(decoded(v, arrays) for v in content)
        if kind == "$float":
            return float(content)
        if kind == "$dict":
            return {k: decoded(v, arrays) for k, v in content}
    return {k: decoded(v, arrays) for k, v in value.items()}
