"""Graphs from their text; the grammar stands in `text`.

Only tests and curious people read graphs, so programs that compile do not load this.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from .graph import Graph, Location, Node, bind
from .primitive import primitives
from .text import type_text
from .types import Array, DType

_NUMBER = re.compile(r"[-+]?(inf|nan|[0-9.]+(e[-+]?[0-9]+)?)")
_WORD = re.compile(r"[A-Za-z_0-9]+")
_TYPE = re.compile(r"([a-z0-9]+)\[([0-9,]*)\]")
_REF = re.compile(r"%([0-9]+)")
_DTYPES = {d.value for d in DType}


def parse(text: str) -> Graph:
    """The graph that ``text`` describes; ``ValueError`` with line and column if it is none."""
    nodes: list[Node] = []
    ends: dict[str, tuple[Node, ...]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        reader = _Reader(line, number)
        if line.startswith("%"):
            nodes.append(_parse_node(reader, nodes))
        elif line.strip():
            title = reader.match(_WORD)
            if title not in ("inputs", "outputs", "updates"):
                raise reader.error("a node, inputs, outputs or updates")
            ends[title] = tuple(_parse_refs(reader, nodes))
    return Graph(ends.get("inputs", ()), ends.get("outputs", ()), ends.get("updates", ()))


class _Reader:
    """A line, and how far it has been read."""

    def __init__(self, line: str, number: int) -> None:
        self.line, self.number, self.at = line, number, 0

    def error(self, wanted: str) -> ValueError:
        rest = self.line[self.at : self.at + 20]
        return ValueError(f"line {self.number}, column {self.at + 1}: {wanted}, not {rest!r}")

    def sees(self, text: str) -> bool:
        """Whether ``text`` comes next; if so, it is read."""
        self.spaces()
        seen = self.line.startswith(text, self.at)
        self.at += len(text) if seen else 0
        return seen

    def expect(self, text: str) -> None:
        if not self.sees(text):
            raise self.error(f"expected {text!r}")

    def match(self, pattern: re.Pattern[str]) -> str:
        self.spaces()
        token = pattern.match(self.line, self.at)
        if token is None:
            raise self.error(f"expected {pattern.pattern}")
        self.at = token.end()
        return token.group()

    def spaces(self) -> None:
        while self.line.startswith(" ", self.at):
            self.at += 1

    def items(self, end: str) -> Iterator[None]:
        """Once for each comma-separated item before ``end``, which is read too."""
        while not self.sees(end):
            yield
            if not self.sees(","):
                self.expect(end)
                return


def _parse_body(reader: _Reader) -> Graph:
    """A graph among the params of a node, after its ``{``."""
    nodes: list[Node] = []
    while not reader.sees("inputs"):
        nodes.append(_parse_node(reader, nodes, inside=True))
        reader.expect(";")
    inputs = tuple(_ref(reader, nodes) for _ in reader.items(";"))
    reader.expect("outputs")
    return Graph(inputs, tuple(_ref(reader, nodes) for _ in reader.items("}")))


def _parse_node(reader: _Reader, nodes: list[Node], inside: bool = False) -> Node:
    if reader.match(_REF) != f"%{len(nodes)}":
        raise reader.error(f"nodes are numbered in order, here %{len(nodes)}")
    reader.expect("=")
    op = reader.match(_WORD)
    if op not in primitives():
        raise ValueError(f"line {reader.number}: unknown primitive `{op}`")
    reader.expect("(")
    inputs = [_ref(reader, nodes) for _ in reader.items(")")]
    params: dict[str, Any] = {}
    if reader.sees("{"):
        for _ in reader.items("}"):
            name = reader.match(_WORD)
            reader.expect("=")
            params[name] = _parse_value(reader)
    reader.expect(":")
    declared = reader.match(_TYPE)
    location = None if inside else _parse_location(reader.line[reader.at :])
    try:
        node = bind(op, *inputs, location=location, **params)
    except TypeError as error:  # a param that is missing, too much or of the wrong dtype
        raise ValueError(f"line {reader.number}: {op}: {error}") from error
    if type_text(node.shape, node.dtype) != declared:
        actual = type_text(node.shape, node.dtype)
        raise ValueError(f"line {reader.number}: {op} has type {actual}, not {declared}")
    return node if location else _without_location(node)


def _without_location(node: Node) -> Node:
    """`bind` hands locations down from inputs; the text says there is none."""
    return Node(node.primitive, node.inputs, node.params, node.shape, node.dtype, None)


def _parse_location(rest: str) -> Location | None:
    if not rest.startswith(" @ "):
        return None
    file, _, line = rest[3:].rpartition(":")
    return Location(file, int(line))


def _parse_refs(reader: _Reader, nodes: list[Node]) -> Iterator[Node]:
    while reader.at < len(reader.line.rstrip()):
        yield _ref(reader, nodes)
        reader.sees(",")


def _ref(reader: _Reader, nodes: list[Node]) -> Node:
    number = int(reader.match(_REF)[1:])
    if number >= len(nodes):
        raise reader.error(f"%{number} is not defined above")
    return nodes[number]


def _parse_value(reader: _Reader) -> Any:
    if reader.sees("("):
        return tuple(_parse_value(reader) for _ in reader.items(")"))
    if reader.sees('"'):
        reader.at -= 1
        return _parse_string(reader)
    if reader.sees("{"):
        return _parse_body(reader)
    reader.spaces()
    if _TYPE.match(reader.line, reader.at):
        return _parse_array(reader)
    word = _WORD.match(reader.line, reader.at)
    if word and word.group() in _DTYPES:
        return DType(reader.match(_WORD))
    return _parse_number(reader)


def _parse_number(reader: _Reader) -> int | float:
    number = reader.match(_NUMBER)
    return float(number) if set(number) & set(".einf") else int(number)


def _parse_string(reader: _Reader) -> str:
    value, reader.at = json.JSONDecoder().raw_decode(reader.line, reader.at)
    return str(value)


def _parse_array(reader: _Reader) -> Array:
    word, dims = reader.match(_TYPE).rstrip("]").split("[")
    dtype = DType(word).numpy
    reader.expect("<")
    if reader.sees('"'):
        reader.at -= 1
        array = np.frombuffer(base64.b64decode(_parse_string(reader)), dtype)
        reader.expect(">")
    else:
        array = np.array([_parse_number(reader) for _ in reader.items(">")]).astype(dtype)
    array = array.reshape([int(d) for d in dims.split(",") if d])
    array.flags.writeable = False
    return array
