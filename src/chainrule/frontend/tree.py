"""Nested containers as a flat list of leaves and a description of their nesting.

    Tree := Leaf | Static(value) | Branch(kind, keys, children)

Lists, tuples, named tuples, dicts and dataclasses are containers. What counts as a leaf
is the caller's choice; everything else is static: it belongs to the description, not to the leaves.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Leaf:
    """A place for one value."""


@dataclass(frozen=True, slots=True, eq=False)
class Static:
    """A value of the description itself. 1, 1.0 and True differ, unlike in Python; so do the two
    zeros. NaN equals NaN.
    """

    value: Any

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Static)
            and type(self.value) is type(other.value)
            and bool(self._mark == other._mark)
        )

    def __hash__(self) -> int:
        return hash((type(self.value), self._mark))

    @property
    def _mark(self) -> Any:
        # 0.0 and -0.0 compute differently, and NaN, which equals nothing, always the same.
        return self.value.hex() if type(self.value) is float else self.value


@dataclass(frozen=True, slots=True)
class Branch:
    """A container: its class, its keys (dicts and dataclasses) and its children in order."""

    kind: type
    keys: tuple[Any, ...]
    children: tuple[Tree, ...]


Tree = Leaf | Static | Branch
LEAF = Leaf()


def flatten(value: Any, is_leaf: Callable[[Any], bool]) -> tuple[list[Any], Tree]:
    """The leaves of ``value`` from left to right, and its nesting."""
    leaves: list[Any] = []
    return leaves, _describe(value, is_leaf, leaves)


def _describe(value: Any, is_leaf: Callable[[Any], bool], leaves: list[Any]) -> Tree:
    if is_leaf(value):
        leaves.append(value)
        return LEAF
    opened = _open(value)
    if opened is None:
        return Static(value)
    keys, children = opened
    return Branch(type(value), keys, tuple(_describe(c, is_leaf, leaves) for c in children))


def _open(value: Any) -> tuple[tuple[Any, ...], Sequence[Any]] | None:
    """Keys and children of a container; None for anything else."""
    if isinstance(value, list | tuple):
        return (), value
    if isinstance(value, dict):
        return tuple(value), list(value.values())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = tuple(f.name for f in dataclasses.fields(value))
        return names, [getattr(value, n) for n in names]
    return None


def unflatten(tree: Tree, leaves: Sequence[Any]) -> Any:
    """The containers that ``tree`` describes, filled with ``leaves`` from left to right."""
    return _build(tree, iter(leaves))


def _build(tree: Tree, leaves: Iterator[Any]) -> Any:
    if isinstance(tree, Leaf):
        return next(leaves)
    if isinstance(tree, Static):
        return tree.value
    children = [_build(child, leaves) for child in tree.children]
    kind: Callable[..., Any] = tree.kind
    named = dict(zip(tree.keys, children, strict=True)) if tree.keys else {}
    if issubclass(tree.kind, defaultdict):
        return kind(None, named)  # what is missing is not to be made up
    if issubclass(tree.kind, Mapping):
        return kind(named)
    if dataclasses.is_dataclass(tree.kind):
        return _dataclass(tree.kind, named)
    if issubclass(tree.kind, tuple) and is_named_tuple(tree.kind):
        return kind(*children)
    return kind(children)


def _dataclass(kind: Any, values: dict[str, Any]) -> Any:
    """An instance with ``values``, also of fields that its constructor does not take."""
    taken = {f.name for f in dataclasses.fields(kind) if f.init}
    made = kind(**{n: v for n, v in values.items() if n in taken})
    for name in values.keys() - taken:
        object.__setattr__(made, name, values[name])
    return made


def flatten_like(tree: Tree, value: Any, is_leaf: Callable[[Any], bool]) -> list[Any] | None:
    """The leaves of ``value`` in the order of ``tree``, dicts by their keys; None if ``value`` is
    nested otherwise.
    """
    if isinstance(tree, Leaf):
        return [value] if is_leaf(value) else None
    if isinstance(tree, Static):
        return []
    keys, children = _open(value) or ((None,), ())
    if tree.keys and set(keys) == set(tree.keys):
        named = dict(zip(keys, children, strict=True))
        children = [named[k] for k in tree.keys]
    elif tree.keys or keys or len(children) != len(tree.children):
        return None
    parts = [flatten_like(t, c, is_leaf) for t, c in zip(tree.children, children, strict=True)]
    return None if None in parts else [leaf for part in parts for leaf in part or ()]


def is_named_tuple(kind: type) -> bool:
    """Whether ``kind`` is a named tuple, which takes its items one by one."""
    return "_fields" in vars(kind)


def paths(tree: Tree, prefix: str = "") -> list[str]:
    """A name for each leaf: ``[0]``, ``.weight``, ``['x']`` chained from the root."""
    if isinstance(tree, Leaf):
        return [prefix]
    if isinstance(tree, Static):
        return []
    if tree.keys and issubclass(tree.kind, Mapping):
        names = [f"[{k!r}]" for k in tree.keys]
    elif tree.keys:
        names = [f".{k}" for k in tree.keys]
    else:
        names = [f"[{i}]" for i in range(len(tree.children))]
    return [p for n, c in zip(names, tree.children, strict=True) for p in paths(c, prefix + n)]


def statics(tree: Tree) -> Iterator[Any]:
    """The static values of ``tree``."""
    if isinstance(tree, Static):
        yield tree.value
    elif isinstance(tree, Branch):
        for child in tree.children:
            yield from statics(child)
