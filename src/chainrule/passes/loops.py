"""Loops made smaller: what need not happen step by step happens before or after them.

    merge    loops that take the same steps are one, with the results of both
    prune    results that nobody reads, carries that lead nowhere, values that come in twice
    count    n' = n + 1 is a row of numbers that are known before
    hoist    products of what no carry reaches are computed for all steps at once, before
    sink     products that no carry needs, after
    sum up   s' = s + a' b over all steps is one product, after

What a loop reads or stacks instead has a row for each step. Cheap operations stay where they are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import numpy as np

from ..batching import stretched
from ..ir.graph import Graph, Node, bind, full_like, topological
from ..ir.rewrite import substitute, with_inputs
from ..ops.backwards import FREE
from ..ops.bodies import placeholder
from .batching import CannotBatchError, batched
from .canonicalize import canonicalize, scalar_value
from .loop_form import LoopForm

#: worth computing for all steps at once
PRODUCTS = frozenset({"dot", "conv"})
#: what one loop no longer reads, another need not give
SWEEPS = 4


def simplify_loops(graph: Graph) -> Graph:
    """Apply the list above to every loop, until nothing changes."""
    for _ in range(SWEEPS):
        new = _Sweep(graph).run()
        if new is graph:
            break
        graph = new
    return graph


class _Sweep:
    """Every loop of a graph once."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.wanted: dict[Any, dict[tuple[Node, int], None]] = {}
        for node in graph.nodes():
            if node.op == "item":
                loop = node.inputs[0]
                self.wanted.setdefault(_key(loop), {})[loop, node.params["index"]] = None
        self.found: dict[Any, dict[tuple[Node, int], Node]] = {}

    def run(self) -> Graph:
        new: dict[Node, Node] = {}
        for node in self.graph.nodes():
            if node.op == "item" and not node.inputs[0].params["tiled"]:
                loop, index = node.inputs[0], node.params["index"]
                result = self._results(loop, new)[loop, index]
                same = result.op == "item" and result.inputs[0] is loop
                new[node] = node if same and result.params["index"] == index else result
            elif node.op == "scan" and not node.params["tiled"]:
                new[node] = node
            else:
                new[node] = with_inputs(node, [new[i] for i in node.inputs])
        return self.graph.with_roots(new[r] for r in self.graph.roots)

    def _results(self, loop: Node, new: Mapping[Node, Node]) -> dict[tuple[Node, int], Node]:
        """All results of ``loop``, and of those that take the same steps."""
        key = _key(loop)
        if key not in self.found:
            wanted = self.wanted[key]
            form = LoopForm.of(loop, [new[i] for i in loop.inputs], wanted)
            for step in (
                _merge_inputs,
                _reuse,
                _prune,
                _count,
                _sum_up,
                _hoist,
                _sink,
                _reuse,
                _prune,
            ):
                step(form)
            self.found[key] = dict(zip(wanted, form.rebuilt(), strict=True))
        return self.found[key]


def _key(loop: Node) -> Any:
    """Equal for loops that take the same steps."""
    body, count = loop.params["body"], loop.params["carries"]
    params = tuple(loop.params[k] for k in ("length", "reverse", "segment"))
    return loop.inputs, body.inputs, body.outputs[:count], params


# ----------------------------------------------------------------------------------------- prune


def _merge_inputs(form: LoopForm) -> None:
    """What comes in twice, is the same in all steps, or is a number; equal values of the body."""
    others: dict[Node, Node] = {}
    for table in (form.rows, form.consts):
        first: dict[Node, Node] = {}
        for node, outer in table.items():
            number = scalar_value(outer)
            if number is not None:
                others[node] = full_like(node, number)
            elif first.setdefault(outer, node) is not node:
                others[node] = first[outer]
    for node, outer in list(form.rows.items()):
        if node not in others and outer.op == "broadcast" and 0 not in outer.params["axes"]:
            source = outer.inputs[0]
            same = placeholder("same", source.shape, source.dtype)
            form.consts[same] = source
            axes = tuple(a - 1 for a in outer.params["axes"])
            others[node] = bind("broadcast", same, shape=node.shape, axes=axes)
    if others:
        form.replace(others)
    form.rebase(canonicalize(Graph(form.inputs, tuple(form.roots()))).outputs)


def _reuse(form: LoopForm) -> None:
    """What a loop gives as it got it needs no loop."""
    for carry, (first, new) in list(form.carries.items()):
        if new is carry:
            form.resolve(form.final(carry), first)
            form.consts[carry] = first
            del form.carries[carry]
    known = form.env()
    varying = _dependent(topological(form.roots()), (*form.carries, *form.rows))
    for token, node in list(form.stacks.items()):
        if node in known or node not in varying:
            outer = known[node] if node in known else (_outside(form, node), False)
            form.resolve(token, stretched(outer, form.length))


def _prune(form: LoopForm) -> None:
    """Drop stacked values and carries that nobody reads, and inputs that then lead nowhere."""
    read = set(topological(form.results))
    form.stacks = {t: n for t, n in form.stacks.items() if t in read}
    form.finals = {t: c for t, c in form.finals.items() if t in read}
    alive = set(form.finals.values())
    while True:
        roots = [*(form.carries[c][1] for c in alive), *form.stacks.values()]
        reached = set(topological(roots))
        more = alive | (reached & set(form.carries))
        if more == alive:
            break
        alive = more
    form.keep_only(alive | reached)


# ----------------------------------------------------------------------------------------- count


def _count(form: LoopForm) -> None:
    """Whole numbers that grow by the same in each step, such as the count of a generator."""
    for carry, (first, new) in list(form.carries.items()):
        if new.op != "add" or carry.dtype.is_float or carry not in new.inputs:
            continue
        [other] = [i for i in new.inputs if i is not carry] or [carry]
        grows = scalar_value(other)
        if grows is None:
            continue
        by, whole = (_wrapped(n, carry) for n in (int(grows), int(grows) * form.length))
        steps = bind("iota", shape=(form.length,), axis=0)
        if form.loop.params["reverse"]:
            steps = full_like(steps, form.length - 1) - steps
        steps = bind("cast", steps, dtype=carry.dtype)
        grown = bind(
            "broadcast", steps * full_like(steps, by), shape=(form.length, *carry.shape), axes=(0,)
        )
        del form.carries[carry]
        form.rows[carry] = stretched((first, False), form.length) + grown
        form.resolve(form.final(carry), first + full_like(first, whole))


def _wrapped(number: int, like: Node) -> int:
    """A whole number as arithmetic in the dtype of ``like`` gives it."""
    return int(np.asarray(number).astype(like.dtype.numpy))


# ----------------------------------------------------------------------------------------- hoist


def _hoist(form: LoopForm) -> None:
    """Products that no carry reaches; of what is the same in all steps all but cheap operations."""
    order = list(topological(form.roots()))
    carried = _dependent(order, form.carries)
    varying = _dependent(order, form.rows)
    free = {n for n in order if n not in carried and n.op != "input"}
    worth = _made_of(order, {n for n in free if n in varying}, lambda n: n.op in PRODUCTS)
    worth |= _made_of(order, {n for n in free if n not in varying}, lambda n: n.op not in FREE)
    for node in _frontier(form, order, carried):
        if node in worth:
            _move_before(form, node, node in varying)


def _move_before(form: LoopForm, node: Node, varies: bool) -> None:
    """Compute ``node`` before the loop."""
    new = placeholder("before", node.shape, node.dtype)
    if varies:
        try:
            [form.rows[new]] = batched([node], form.env(), form.length)
        except CannotBatchError:
            return
    else:
        form.consts[new] = _outside(form, node)
    form.replace({node: new})


def _outside(form: LoopForm, node: Node) -> Node:
    """A value of the body that is the same in all steps."""
    [outer] = substitute([node], form.consts)
    return outer


def _frontier(form: LoopForm, order: list[Node], carried: set[Node]) -> list[Node]:
    """Values that no carry reaches, read where one does; not mere movements of others."""
    stack = [i for n in order if n in carried for i in n.inputs if i not in carried]
    stack += [r for r in form.roots() if r not in carried]
    found: set[Node] = set()
    while stack:
        node = stack.pop()
        if node.primitive.movement:
            stack.extend(node.inputs)
        elif node.op != "input":
            found.add(node)
    return [n for n in order if n in found]


def _dependent(order: Iterable[Node], sources: Iterable[Node]) -> set[Node]:
    """Values of the body that depend on some of ``sources``, and these."""
    reached = set(sources)
    for node in order:
        if not reached.isdisjoint(node.inputs):
            reached.add(node)
    return reached


def _made_of(
    order: Iterable[Node], inside: Collection[Node], counts: Callable[[Node], bool]
) -> set[Node]:
    """Nodes ``inside`` that count, or are made of such as do, inside."""
    found: set[Node] = set()
    for node in order:
        if node in inside and (counts(node) or not found.isdisjoint(node.inputs)):
            found.add(node)
    return found


# ------------------------------------------------------------------------------------------ sink


def _sink(form: LoopForm) -> None:
    """Products that no carry needs are computed after the loop."""
    order = list(topological(form.roots()))
    needed = set(topological([new for _, new in form.carries.values()]))
    after = {n for n in order if n not in needed and n.op != "input"}
    worth = _made_of(order, after, lambda n: n.op in PRODUCTS)
    for token, node in list(form.stacks.items()):
        if node in worth:
            _move_after(form, token, node, needed)


def _move_after(form: LoopForm, token: Node, node: Node, needed: set[Node]) -> None:
    """Compute a stacked value after the loop, of stacked values that carries need anyway."""
    env = form.env()
    own = [n for n in topological([node], known=needed) if n.op != "input"]
    edge = dict.fromkeys(i for n in own for i in n.inputs if i in needed and i not in env)
    kept = [i for i in edge if any(n.op == "input" for n in topological([i]))]
    size = sum(i.size for i in kept)
    if size > 4 * node.size:
        return  # it would keep more than it gives
    before = dict(form.stacks)
    for inner in kept:
        env[inner] = form.stacked(inner), True
    try:
        [outer] = batched([node], env, form.length)
    except CannotBatchError:
        form.stacks = before
        return
    form.resolve(token, outer)


# ---------------------------------------------------------------------------------------- sum up


def _sum_up(form: LoopForm) -> None:
    """s' = s + e, where nobody else reads s: its last value is the first and the sum of all e."""
    readers: dict[Node, int] = {}
    roots = form.roots()
    for node in topological(roots):
        for i in node.inputs:
            readers[i] = readers.get(i, 0) + 1
    for carry, (first, new) in list(form.carries.items()):
        alone = readers.get(carry) == 1 and not readers.get(new) and roots.count(new) == 1
        if new.op != "add" or carry not in new.inputs or not alone or carry in roots:
            continue
        [part] = [i for i in new.inputs if i is not carry]
        if _can_sum(part):
            del form.carries[carry]
            form.resolve(form.final(carry), first + _summed(form, part))


def _can_sum(part: Node) -> bool:
    while part.op in ("reshape", "transpose"):
        part = part.inputs[0]
    return part.op == "reduce_sum" or (part.op == "dot" and part.ndim == 2)


def _summed(form: LoopForm, part: Node) -> Node:
    """The sum of ``part`` over all steps, from stacked values."""
    if part.op in ("reshape", "transpose"):
        return with_inputs(part, [_summed(form, part.inputs[0])])
    if part.op == "reduce_sum":
        x = part.inputs[0]
        stack, axes = form.stacked(x), tuple(a + 1 for a in part.params["axes"])
        if axes[:1] == (1,):  # rows of all steps are rows
            stack = bind("reshape", stack, shape=(form.length * x.shape[0], *x.shape[1:]))
            axes = tuple(a - 1 for a in axes[1:])
        return bind("reduce_sum", stack, axes=(0, *axes), location=part.location)
    a, b = part.inputs
    (m, k), n, length = a.shape, b.shape[1], form.length
    right = bind("reshape", form.stacked(b), shape=(length * k, n))
    if a.op == "transpose":
        rows = bind("reshape", form.stacked(a.inputs[0]), shape=(length * k, m))
        left = bind("transpose", rows, perm=(1, 0))
    else:
        turned = bind("transpose", form.stacked(a), perm=(1, 0, 2))
        left = bind("reshape", turned, shape=(m, length * k))
    return bind("dot", left, right, location=part.location)
