"""What can be asked of a microscope from outside, as plain values: by pages, line by line.

    {"view": "unit", "layer": "fc1", "unit": 3, "change": {"inputs": [[[0, 2], 1.5]]}}

``view`` is one of `VIEWS`; ``row`` and ``target`` look at a new example in place of the one that
the microscope was opened at; ``change`` asks the same of the step with some numbers changed, and
adds what that does to both passes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import IO, Any

import numpy as np

from ..errors import ChainruleError, ConfigError, StateError
from ..records import check_shape
from .scope import Scope
from .shown import jsonable
from .view import View
from .walk import Step

__all__ = ["answer", "answer_lines"]

NUMBERS = [int]
CHANGE = {"weights?": [list], "inputs?": [list], "target?": [list]}
SHAPE = {"view": str, "layer?": str, "unit?": int, "at?": NUMBERS, "weight?": str,
         "index?": NUMBERS, "row?": str, "target?": str, "change?": CHANGE}  # fmt: skip

VIEWS: Mapping[str, Callable[[Scope, Mapping[str, Any]], View]] = {
    "network": lambda s, r: s.network(),
    "layer": lambda s, r: s.layer(r["layer"]),
    "unit": lambda s, r: s.unit(r["layer"], r.get("unit"), _index(r, "at")),
    "weight": lambda s, r: s.weight(r["weight"], _index(r, "index")),
    "input": lambda s, r: s.input(_index(r, "index")),
    "loss": lambda s, r: s.loss(),
}


def answer(scope: Scope, request: object) -> dict[str, Any]:
    """The view that was asked for, and where one can go from there. ConfigError for a request that
    makes no sense, or asks for what is not there."""
    try:
        check_shape(request, SHAPE, "the request")
    except StateError as error:
        raise ConfigError(error.what, where=error.where) from None
    assert isinstance(request, dict)
    name = request["view"]
    needed = {"layer": "layer", "unit": "layer", "weight": "weight"}.get(name)
    if name not in VIEWS or (needed and needed not in request):
        raise ConfigError(
            f"there is no view {name!r}" if name not in VIEWS else f"the view needs a {needed}",
            help=f"views: {', '.join(VIEWS)}",
        )
    if "row" in request:
        scope = scope.at(request["row"], request.get("target"))
    looked, changes = scope, []
    if change := {k: v for k, v in request.get("change", {}).items() if v}:
        what_if = scope.what_if(**_changes(change))
        looked, changes = what_if.after, [what_if.view().to_dict()]
    return {"view": VIEWS[name](looked, request).to_dict(), "changes": changes, **_places(looked)}


def _places(scope: Scope) -> dict[str, Any]:
    """The calls with what they read and their parameters, the inputs, the output and the target."""
    step = scope.step
    calls = [
        {"name": c.name, "kind": c.kind, "units": scope.units(c),
         "parameters": [p.name for p in c.parameters.values()],
         "reads": [list(r.sources) for r in c.call.reads]}
        for c in step.calls
    ]  # fmt: skip
    return {
        "title": scope.title, "loss": step.loss, "calls": calls, "input": _first_input(step),
        "form": None if scope.form is None else asdict(scope.form),
    }  # fmt: skip


def _first_input(step: Step) -> dict[str, Any] | None:
    """The numbers of the first input and what they are called, if they are few."""
    if not step.inputs or step.inputs[0].array.size > MOST:
        return None
    first = step.inputs[0]
    names = [first.name(index, "") for index in np.ndindex(first.array.shape)]
    return {"shape": list(first.array.shape), "values": first.array.ravel().tolist(),
            "names": names if any(names) else []}  # fmt: skip


#: inputs that are listed one by one
MOST = 64


def _index(request: Mapping[str, Any], key: str) -> tuple[int, ...] | None:
    return tuple(request[key]) if key in request else None


def _changes(change: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return {
            "weights": {(str(n), tuple(map(int, i))): float(v)
                        for n, i, v in change.get("weights", ())},
            "inputs": {tuple(map(int, i)): float(v) for i, v in change.get("inputs", ())},
            "target": {tuple(map(int, i)): float(v) for i, v in change.get("target", ())},
        }  # fmt: skip
    except (TypeError, ValueError):
        raise ConfigError(
            "a change is not an index and a number",
            help='such as {"inputs": [[[0, 2], 1.5]], "weights": [["fc1.weight", [0, 1], 0.5]]}',
        ) from None


def answer_lines(scope: Scope, asked: IO[str], told: IO[str]) -> None:
    """Answers requests, a JSON object in each line, until there are no more."""
    for line in asked:
        try:
            document: dict[str, Any] = answer(scope, json.loads(line))
        except ChainruleError as error:
            document = {"error": error.what, "help": error.help}
        except ValueError:
            document = {"error": "a request is not JSON", "help": ""}
        told.write(json.dumps(jsonable(document), allow_nan=False) + "\n")
        told.flush()
