"""Containers taken apart and put together."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest

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


def test_zeros_differ_and_nan_is_nan() -> None:
    trees = [flatten((v,), lambda _: False)[1] for v in (0.0, -0.0, float("nan"), float("nan"))]
    assert trees[0] != trees[1]
    assert trees[2] == trees[3]
    assert hash(trees[2]) == hash(trees[3])


def test_containers_that_cannot_be_made_from_pairs() -> None:
    missing: defaultdict[str, Any] = defaultdict(list, a=1.0)
    leaves, tree = flatten(missing, lambda v: isinstance(v, float))
    again = unflatten(tree, leaves)
    assert isinstance(again, defaultdict)
    assert again == missing
    with pytest.raises(KeyError):
        again["b"]

    @dataclasses.dataclass(frozen=True)
    class Cached:
        x: float
        twice: float = dataclasses.field(init=False, default=0.0)

    leaves, tree = flatten(Cached(1.0), lambda v: isinstance(v, float))
    assert unflatten(tree, [3.0, 6.0]).twice == 6.0
