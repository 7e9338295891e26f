"""Which operands of products must be laid out anew.

A product reads one operand by scalars, so any strides will do. The other is read in vectors along
its last axis and must have stride 1 there. Where it has not, a ``fence`` node asks for a copy in
row-major order; the scheduler gives every fence memory of its own.
"""

from __future__ import annotations

from itertools import pairwise

from ..ir.graph import Graph, Node, bind
from ..ir.rewrite import with_inputs
from ..ir.types import Shape, row_major

Strides = tuple[int, ...]

#: primitives that become products, and which of their inputs is read in vectors
PRODUCTS = {"dot": 1, "dot_tree": 1, "conv": 1, "conv_wgrad": 0}
#: primitives that only say where in an array elements lie
VIEWS = ("reshape", "transpose", "broadcast", "slice")
#: primitives that read an input in memory, in row-major order, and which
WHOLE = {"gather": 0, "scatter": 0, "scatter_add": 0, "assign": 1}


def materialize_operands(graph: Graph) -> Graph:
    """Insert a ``fence`` wherever a product cannot read its operand in place."""
    new: dict[Node, Node] = {}
    copies: dict[Node, Node] = {}
    views: dict[Node, Node] = {}
    stored = _stored(graph)
    for node in graph.nodes():
        inputs = tuple(new[i] for i in node.inputs)
        if node.op in PRODUCTS:
            at = PRODUCTS[node.op]
            if _views_stored(node.inputs[at], stored):
                inputs = (*inputs[:at], as_read(inputs[at], copies, views), *inputs[at + 1 :])
            inputs = tuple(
                i if _readable(node.op, at, i) else laid_out(i, copies)
                for at, i in enumerate(inputs)
            )
        elif node.op == "reshape" and reads_scattered_state(node):
            inputs = (_copy(inputs[0], copies),)
        elif node.op == "assign" and inputs[1].op == "input":
            inputs = (inputs[0], _copy(inputs[1], copies))  # states may trade places
        new[node] = with_inputs(node, inputs)
    return graph.with_roots(new[r] for r in graph.roots)


def laid_out(node: Node, copies: dict[Node, Node]) -> Node:
    """``node`` in row-major order. What is reshaped anyway is copied before, then it is a view.

    What is the same along leading axes is copied once.
    """
    if node.op == "broadcast" and node.params["axes"][-2:] == (node.ndim - 2, node.ndim - 1):
        return with_inputs(node, (laid_out(node.inputs[0], copies),))
    if node.op == "reshape" and view_strides(node) is None and not is_scalar_fill(node.inputs[0]):
        return with_inputs(node, (laid_out(node.inputs[0], copies),))
    return _copy(node, copies)


def as_read(node: Node, copies: dict[Node, Node], views: dict[Node, Node]) -> Node:
    """``node`` with all copies that `materialize_operands` will make of what it views.

    It is a view of its own, in ``views`` for all who ask: others may need ``node`` in memory, as an
    output of the graph, where it would lie otherwise than it was said to.
    """
    if node.op not in VIEWS:
        return node
    if node not in views:
        inner = as_read(node.inputs[0], copies, views)
        view = bind(node.op, inner, location=node.location, **node.params)
        if node.op == "reshape" and reads_scattered_state(view):
            view = with_inputs(view, (_copy(inner, copies),))
        views[node] = view
    return views[node]


def _stored(graph: Graph) -> set[Node]:
    """Views that get memory of their own, or that of a state."""
    read = (n.inputs[WHOLE[n.op]] for n in graph.nodes() if n.op in WHOLE)
    return {node for node in (*graph.outputs, *read) if node.op in VIEWS}


def _views_stored(node: Node, stored: set[Node]) -> bool:
    """Whether ``node`` is a view that is ``stored``, or views one: then it lies as that does, and
    not as what that views."""
    while stored and node.op in VIEWS:
        if node in stored:
            return True
        node = node.inputs[0]
    return False


def _copy(node: Node, copies: dict[Node, Node]) -> Node:
    if node not in copies:
        copies[node] = bind("fence", node, location=node.location)
    return copies[node]


def _readable(product: str, position: int, node: Node) -> bool:
    """Whether a product reads ``node``, its operand, best in the memory of the array it views.

    Kernels are small: in row-major order their taps and channels are one loop.
    """
    strides = view_strides(node)
    if strides is None:
        return False
    if product == "conv" and position == PRODUCTS[product]:
        wanted = zip(strides, row_major(node.shape), node.shape, strict=True)
        return all(step == dense for step, dense, extent in wanted if extent > 1)
    return position != PRODUCTS[product] or strides[-1] == 1 or node.shape[-1] == 1


def is_scalar_fill(node: Node) -> bool:
    """Whether a node has no memory to point at: a number or an index."""
    return node.op == "iota" or (node.op == "const" and node.size == 1)


def view_strides(node: Node) -> Strides | None:
    """Strides with which ``node`` can be read from the memory of the array it views, or None.

    Nodes that compute something get row-major memory of their own.
    """
    if node.op == "input":
        given: Strides = node.params["strides"]
        return given
    if is_scalar_fill(node):
        return None
    if node.op == "transpose":
        inner = view_strides(node.inputs[0])
        return None if inner is None else tuple(inner[p] for p in node.params["perm"])
    if node.op == "broadcast":
        inner = view_strides(node.inputs[0])
        if inner is None:
            return None
        strides = [0] * node.ndim
        for axis, stride in zip(node.params["axes"], inner, strict=True):
            strides[axis] = stride
        return tuple(strides)
    if node.op == "slice":
        inner = view_strides(node.inputs[0])
        if inner is None:
            return None
        return tuple(s * k for s, k in zip(inner, node.params["step"], strict=True))
    if node.op == "reshape":
        return _reshaped_strides(node)
    return row_major(node.shape)


def _reshaped_strides(node: Node) -> Strides | None:
    source = node.inputs[0]
    inner = view_strides(source)
    if inner is None:
        return None
    if inner == row_major(source.shape):
        return row_major(node.shape)
    groups = matching_groups(source.shape, node.shape)
    strides = [0] * node.ndim
    for sources, targets in groups:
        wide = [i for i in sources if source.shape[i] != 1]
        if len(wide) > 1:
            merged = _merged_stride([(source.shape[i], inner[i]) for i in wide])
            if merged is None:
                return None
            step = merged
        else:
            step = inner[wide[0]] if wide else 0
        for t in reversed(targets):
            strides[t] = step
            step *= node.shape[t]
    return tuple(strides)


def _merged_stride(dims: list[tuple[int, int]]) -> int | None:
    """The stride of adjacent dims seen as one, if they lie without gaps."""
    for (_, outer), (extent, inner) in pairwise(dims):
        if outer != inner * extent:
            return None
    return dims[-1][1]


def reads_scattered_state(node: Node) -> bool:
    """A reshape that merges axes of an array which does not lie in row-major order."""
    source = node.inputs[0]
    inner = view_strides(source)
    if inner is None or inner == row_major(source.shape):
        return False
    groups = matching_groups(source.shape, node.shape)
    return any(sum(source.shape[i] != 1 for i in sources) > 1 for sources, _ in groups)


def matching_groups(source: Shape, target: Shape) -> list[tuple[list[int], list[int]]]:
    """Cut two shapes of equal size into the shortest runs of axes with equal products.

    >>> matching_groups((6, 4), (2, 3, 4))
    [([0], [0, 1]), ([1], [2])]
    """
    groups: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(source) or j < len(target):
        left, right = [], []
        p = q = 1
        if i < len(source):
            left.append(i)
            p = source[i]
            i += 1
        if j < len(target):
            right.append(j)
            q = target[j]
            j += 1
        while p != q:
            if p < q:
                left.append(i)
                p *= source[i]
                i += 1
            else:
                right.append(j)
                q *= target[j]
                j += 1
        groups.append((left, right))
    return groups
