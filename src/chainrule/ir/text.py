"""Graphs as text that `parse.parse` reads back, one node a line.

    text    := node* "inputs" refs "\\n" "outputs" refs "\\n" "updates" refs "\\n"
    node    := ref " = " primitive "(" refs ")" [" {" params "}"] " : " type [" @ " file ":" line]
    refs    := (ref (", " ref)*)?
    ref     := "%" integer                  numbered from 0, inputs of the graph first
    params  := name "=" value (", " name "=" value)*
    value   := integer | real | string | dtype | "(" value* ")" | array | graph
    graph   := "{" (node ";")* "inputs" refs ";" "outputs" refs "}"      its own numbers, one line
    array   := type "<" number* ">" | type "<" string ">"    few numbers as such, many in base64
    type    := dtype "[" integer* "]"                        f32[2,3]; f32[] is 0-d
    string  := as in JSON

Real numbers are written with as many digits as make them parse back to the same bits.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from .graph import Graph, Node
from .types import Array, DType, Shape

#: constants with more elements than this are written in base64
INLINE = 64


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
    return f"{line} @ {node.location}" if locations and str(node.location or "") else line


def _print(graph: Graph, locations: bool) -> str:
    return "\n".join(_lines(graph, locations)) + "\n"


def _lines(graph: Graph, locations: bool) -> list[str]:
    numbers = {node: i for i, node in enumerate(graph.nodes())}
    lines = [f"%{i} = {node_text(node, numbers, locations)}" for node, i in numbers.items()]
    for title in ("inputs", "outputs", "updates"):
        refs = ", ".join(f"%{numbers[n]}" for n in getattr(graph, title))
        lines.append(f"{title} {refs}".rstrip())
    return lines


def _value_text(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return _array_text(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(_value_text, value))})"
    if isinstance(value, DType):
        return value.value
    if isinstance(value, Graph):
        return f"{{{'; '.join(_lines(value, locations=False)[:-1])}}}"
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _array_text(array: Array) -> str:
    head = type_text(array.shape, DType.of(array.dtype))
    nan = array.dtype.kind == "f" and bool(np.isnan(array).any())  # its sign and payload count
    if array.size > INLINE or nan:
        coded = binascii.b2a_base64(array.tobytes(), newline=False)
        return f'{head}<"{coded.decode("ascii")}">'
    numbers = array.astype(np.uint8) if array.dtype == np.bool_ else array
    return f"{head}<{', '.join(map(repr, numbers.ravel().tolist()))}>"
