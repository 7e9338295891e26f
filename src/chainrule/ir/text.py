"""Graphs as text that parses back, one node a line.

    text    := node* "inputs" refs "\\n" "outputs" refs "\\n" "updates" refs "\\n"
    node    := ref " = " primitive "(" refs ")" [" {" params "}"] " : " type [" @ " file ":" line]
    refs    := (ref (", " ref)*)?
    ref     := "%" integer                  numbered from 0, inputs of the graph first
    params  := name "=" value (", " name "=" value)*
    value   := integer | real | string | dtype | "(" value* ")" | array
    array   := type "<" number* ">" | type "<" string ">"    few numbers as such, many in base64
    type    := dtype "[" integer* "]"                        f32[2,3]; f32[] is 0-d
    string  := as in JSON

Real numbers are written with as many digits as make them parse back to the same bits.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .graph import Graph, Location, Node, bind
from .primitive import primitives
from .types import Array, DType, Shape

#: constants with more elements than this are written in base64
INLINE = 64


# ------------------------------------------------------------------------------------ print


def to_text(graph: Graph) -> str:
    """``graph`` in the grammar of this module."""
    return _print(graph, locations=True)


def canonical(graph: Graph) -> str:
    """``graph`` without locations: equal text means equal computation."""
    return _print(graph, locations=False)


def type_text(shape: Shape, dtype: DType) -> str:
    """``f32[2,3]``."""
    return f"{dtype.value}[{','.join(map(str, shape))}]"


def node_text(node: Node, numbers: Mapping[Node, int], locations: bool = True) -> str:
    """The line of ``node``, without "%n = ". Nodes missing in ``numbers`` print as their type."""
    refs = ", ".join(
        f"%{numbers[i]}" if i in numbers else type_text(i.shape, i.dtype) for i in node.inputs
    )
    params = ", ".join(f"{k}={_value_text(v)}" for k, v in sorted(node.params.items()))
    line = f"{node.op}({refs})" + (f" {{{params}}}" if params else "")
    line += f" : {type_text(node.shape, node.dtype)}"
    return f"{line} @ {node.location}" if locations and node.location is not None else line


def _print(graph: Graph, locations: bool) -> str:
    numbers = {node: i for i, node in enumerate(graph.nodes())}
    lines = [f"%{i} = {node_text(node, numbers, locations)}" for node, i in numbers.items()]
    for title in ("inputs", "outputs", "updates"):
        refs = ", ".join(f"%{numbers[n]}" for n in getattr(graph, title))
        lines.append(f"{title} {refs}".rstrip())
    return "\n".join(lines) + "\n"


def _value_text(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return _array_text(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(_value_text, value))})"
    if isinstance(value, DType):
        return value.value
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _array_text(array: Array) -> str:
    head = type_text(array.shape, DType.of(array.dtype))
    nan = array.dtype.kind == "f" and bool(np.isnan(array).any())  # its sign and payload count
    if array.size > INLINE or nan:
        return f'{head}<"{base64.b64encode(array.tobytes()).decode("ascii")}">'
    numbers = array.astype(np.uint8) if array.dtype == np.bool_ else array
    return f"{head}<{', '.join(map(repr, numbers.ravel().tolist()))}>"


# ------------------------------------------------------------------------------------ parse

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
        found = self.line.startswith(text, self.at)
        self.at += len(text) if found else 0
        return found

    def expect(self, text: str) -> None:
        if not self.sees(text):
            raise self.error(f"expected {text!r}")

    def match(self, pattern: re.Pattern[str]) -> str:
        self.spaces()
        found = pattern.match(self.line, self.at)
        if found is None:
            raise self.error(f"expected {pattern.pattern}")
        self.at = found.end()
        return found.group()

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


def _parse_node(reader: _Reader, nodes: list[Node]) -> Node:
    if reader.match(_REF) != f"%{len(nodes)}":
        raise reader.error(f"nodes are numbered in order, here %{len(nodes)}")
    reader.expect("=")
    op = reader.match(_WORD)
    if op not in primitives():
        raise ValueError(f"line {reader.number}: there is no primitive `{op}`")
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
    location = _parse_location(reader.line[reader.at :])
    try:
        node = bind(op, *inputs, location=location, **params)
    except TypeError as error:  # a param that is missing, too much or of the wrong dtype
        raise ValueError(f"line {reader.number}: {op}: {error}") from error
    if type_text(node.shape, node.dtype) != declared:
        found = type_text(node.shape, node.dtype)
        raise ValueError(f"line {reader.number}: {op} has type {found}, not {declared}")
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
