"""Containers taken apart and put together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from chainrule.frontend.tree import Static, flatten, paths, statics, unflatten


class Pair(NamedTuple):
    a: Any
    b: Any


@dataclass
class Batch:
    x: Any
    name: str


def numbers(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def test_round_trip() -> None:
    value = {"p": Pair(1, [2, (3,)]), "q": Batch(4, "n"), "r": None, "e": []}
    leaves, tree = flatten(value, numbers)
    assert leaves == [1, 2, 3, 4]
    assert unflatten(tree, leaves) == value
    assert paths(tree) == ["['p'][0]", "['p'][1][0]", "['p'][1][1][0]", "['q'].x"]
    assert list(statics(tree)) == ["n", None]


def test_descriptions_compare_by_type_as_well() -> None:
    assert Static(1) != Static(1.0)
    assert Static(1) != Static(True)
    assert Static("a") == Static("a")
    trees = [flatten(v, lambda _: False)[1] for v in ({"a": 1}, {"a": 1.0}, {"b": 1}, [1], (1,))]
    assert len(set(trees)) == len(trees)
