"""Pickled estimators: arrays, and settings as text.

What an estimator is pickled to holds no object but plain arrays and JSON text, so reading one runs
nothing beyond the class itself. The text names the version that wrote it: another one refuses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import StateError
from ..version import __version__

__all__ = ["Pickled", "frozen", "thawed"]

_KINDS = {"int": int, "float": float}


def frozen(values: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` as {"format", "version", "settings" (JSON), "arrays"}.

    StateError, naming it, for a value that is neither a number, text, array, nor made of them.
    """
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    document = {name: _plain(value, name, arrays) for name, value in values.items()}
    return {
        "format": "chainrule.sklearn",
        "version": __version__,
        "settings": json.dumps(document),
        "arrays": arrays,
    }


def thawed(state: Any, owner: str) -> dict[str, Any]:
    """What `frozen` was given. StateError for the state of another version, or none."""
    if not isinstance(state, Mapping) or state.get("format") != "chainrule.sklearn":
        raise StateError(
            f"this is not a pickled {owner}", help="pickle a fitted estimator with this version"
        )
    if state.get("version") != __version__:
        raise StateError(
            f"this {owner} was pickled by version {state.get('version')}, and this is "
            f"version {__version__}",
            help=f"install chainrule=={state.get('version')} to use it, or fit it again",
        )
    document = json.loads(state["settings"])
    return {name: _restored(value, state["arrays"]) for name, value in document.items()}


def _plain(value: Any, name: str, arrays: dict[str, np.ndarray[Any, Any]]) -> Any:
    """``value`` as JSON; arrays go to ``arrays`` under a number."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufU":
        arrays[str(len(arrays))] = value
        return {"array": str(len(arrays) - 1)}
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        return {"objects": [_plain(v, name, arrays) for v in value.tolist()]}
    if isinstance(value, np.generic):
        arrays[str(len(arrays))] = np.asarray(value)
        return {"number": str(len(arrays) - 1)}
    if isinstance(value, int | float):
        return value
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [_plain(v, name, arrays) for v in value]}
    if isinstance(value, Mapping):
        pairs = [[_plain(k, name, arrays), _plain(v, name, arrays)] for k, v in value.items()]
        return {"dict": pairs}
    if isinstance(value, np.random.RandomState):
        return {"random": _plain(value.get_state(legacy=True), name, arrays)}
    if isinstance(value, bytes):
        arrays[str(len(arrays))] = np.frombuffer(value, np.uint8)
        return {"bytes": str(len(arrays) - 1)}
    raise StateError(
        f"{name} is a {type(value).__name__}, which cannot be pickled as an array or text",
        help=f"set_params({name.split('.')[0]}=None) first: code is never pickled",
    )


def _restored(value: Any, arrays: Mapping[str, Any]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    if kind == "array":
        return arrays[inner]
    if kind == "number":
        return arrays[inner][()]
    if kind == "bytes":
        return arrays[inner].tobytes()
    if kind == "objects":
        result = np.empty(len(inner), object)
        result[:] = [_restored(v, arrays) for v in inner]
        return result
    if kind == "dict":
        return {_restored(k, arrays): _restored(v, arrays) for k, v in inner}
    if kind == "random":
        random = np.random.RandomState()
        random.set_state(_restored(inner, arrays))
        return random
    items = [_restored(v, arrays) for v in inner]
    return tuple(items) if kind == "tuple" else items


class Pickled:
    """For estimators whose attributes are numbers, text and arrays, but for what is `_remade`."""

    #: attributes that are left out, because they are made anew when needed
    _remade: tuple[str, ...] = ()

    def __getstate__(self) -> dict[str, Any]:
        return frozen({k: v for k, v in vars(self).items() if k not in self._remade})

    def __setstate__(self, state: Any) -> None:
        vars(self).update(thawed(state, type(self).__name__))
