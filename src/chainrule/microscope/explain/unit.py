"""One unit of one call: forward, what arrives, what its weights get.

Each kind of layer has its own forward explanation. Where its terms do not add up to the number of
the engine (a subclass that computes more, a weight that is itself computed), it is dropped for that
by slopes, which any layer has; where that does not work either, only the numbers are shown.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ... import nn
from ..shown import MisfitError, Part, Table, Term, Text, sum_of
from ..walk import Parameter, Seen, Step, Walker
from .activations import ELEMENTWISE, curve_of
from .attention import attention_of
from .lookups import dropout_of, embedding_of
from .norms import NORMS, norm_of
from .recurrent import RECURRENT, recurrent_of
from .slopes import forward_sum, pulled_back
from .weighted import Weighted, weighted_of

__all__ = ["consumers", "explain_input", "explain_unit", "explain_weight"]

Index = tuple[int, ...]
#: more outputs than these are not looked through one by one
MOST_PLACES = 200_000


def explain_unit(walker: Walker, step: Step, seen: Seen, place: Index) -> list[Part]:
    """Forward and backward at one output."""
    parts = [*_residual(step, seen, place), *_forward(walker, step, seen, place)]
    parts += _arriving(walker, step, seen, place)
    weighted = weighted_of(seen)
    if weighted is not None and step.loss is not None:
        parts += _edges(weighted, place)
    return parts


def _forward(walker: Walker, step: Step, seen: Seen, place: Index) -> list[Part]:
    weighted, layer = weighted_of(seen), seen.layer
    ways: list[Callable[[], list[Part]]] = []
    if weighted is not None:
        ways.append(lambda: [weighted.forward(place), *weighted.pictures(place)])
    elif isinstance(layer, ELEMENTWISE):
        ways.append(lambda: curve_of(walker, seen, place))
    elif isinstance(layer, NORMS):
        ways.append(lambda: norm_of(seen, place, step.training))
    elif isinstance(layer, nn.Embedding):
        ways.append(lambda: embedding_of(seen, place))
    elif isinstance(layer, nn.Dropout | nn.AlphaDropout):
        ways.append(lambda: dropout_of(seen, place, step.training))
    elif isinstance(layer, RECURRENT):
        ways.append(lambda: recurrent_of(walker, seen, place))
    elif isinstance(layer, nn.MultiheadAttention):
        ways.append(lambda: attention_of(walker, seen, place))
    ways.append(lambda: [forward_sum(walker, seen, place)])
    for way in ways:
        try:
            return way()
        except (MisfitError, KeyError):
            continue
    value = float(seen.result.array[place])
    why = (
        "called again on the same numbers it does not give the same (it draws random numbers, or "
        "takes arguments by name), or it has no derivative"
    )
    return [Text(f"{seen.kind} gives {value:.6g} here. It cannot be split: {why}.")]


def _residual(step: Step, seen: Seen, at: Index) -> list[Part]:
    """What was added on the way to this layer: `x + f(x)`, if it adds up."""
    parts: list[Part] = []
    makers = {s.name: s for s in step.calls}
    for value, read in zip(seen.arguments, seen.call.reads, strict=True):
        if read.through != ("add",) or len(read.sources) < 2:
            continue
        arrays = {n: makers[n].result.array for n in read.sources if n in makers}
        if "input" in read.sources and len(step.inputs) == 1:
            arrays["input"] = step.inputs[0].array
        if any(a.shape != value.array.shape for a in arrays.values()) or not value.array.size:
            continue
        largest = np.unravel_index(int(np.abs(value.array).argmax()), value.array.shape)
        same = value.array.shape == seen.result.array.shape
        place = at if same else tuple(map(int, largest))
        terms = [Term(n, (), float(a[place])) for n, a in arrays.items()]
        try:
            parts.append(sum_of(f"Residual sum before {seen.name}, at {list(place)}",
                                "x = " + " + ".join(arrays), ("from", "", "value"), terms,
                                float(value.array[place])))  # fmt: skip
        except MisfitError:
            continue
    return parts


def consumers(step: Step, seen: Seen) -> list[Seen]:
    """The calls that take the first result of a call as it is; one that passes it on untouched, as
    dropout does in predictions, is no reader of its own."""
    value = seen.call.results[0]
    return [s for s in step.calls if value in s.call.arguments and value not in s.call.results]


def _arriving(walker: Walker, step: Step, seen: Seen, place: Index) -> list[Part]:
    """dL/d(output), and who sent it."""
    grad = seen.result.grad
    if grad is None:
        why = "No gradient arrives here: the loss does not depend on this layer."
        return [Text(step.silent(why))]
    total = float(grad[place])
    terms: list[Term] = []
    for reader in consumers(step, seen):
        position = reader.call.arguments.index(seen.call.results[0])
        terms += _sent_back(walker, reader, position, place)
    if not terms:
        through = _onward(step, seen)
        return [Text(f"upstream dL/da = {total:.6g}, sent back by {through}")]
    left = total - sum(t.value for t in terms)
    size = max([abs(total), *(abs(t.value) for t in terms)])
    if abs(left) > 1e-5 * size:
        terms.append(Term("by other paths", (), left))
    heads = ("sent by", "w or slope", "dL/dz", "product")
    return [sum_of("Upstream: what the layers after it send back", "dL/da = Σ w · dL/dz", heads,
                   terms, total)]  # fmt: skip


def _onward(step: Step, seen: Seen) -> str:
    """What the loss reaches this call through, in words."""
    for later in step.calls:
        for read in later.call.reads:
            if seen.name in read.sources:
                how = f" through {', '.join(read.through)}" if read.through else ""
                return f"{later.name}{how}"
    if seen.name in step.output_read.sources:
        through = step.output_read.through
        return "the loss" + (f" through {', '.join(through)}" if through else "")
    return "what follows"


def _sent_back(walker: Walker, reader: Seen, position: int, index: Index) -> list[Term]:
    """The terms of dL/d(argument) that come through ``reader``."""
    weighted = weighted_of(reader)
    try:
        if weighted is not None and position == 0:
            return weighted.sent_back(index)
        seeds = tuple(r.grad for r in reader.results)
        if all(g is None for g in seeds):
            return []
        grads, _ = pulled_back(walker, reader, seeds)
        sent = grads[position]
        value = 0.0 if sent is None else float(sent[index])
        upstream = reader.result.grad
        if isinstance(reader.layer, ELEMENTWISE) and upstream is not None and upstream[index]:
            u = float(upstream[index])  # the local derivative stands where weights do
            return [Term(f"{reader.name} ({reader.kind})", (value / u, u), value)]
        return [Term(f"{reader.name} ({reader.kind})", (), value)]
    except MisfitError:
        return []


def _edges(weighted: Weighted, place: Index) -> list[Part]:
    """The weights that end at an output, with what each gets: dL/dw = dL/dz · a."""
    seen = weighted.seen
    weight, grad = seen.parameters["weight"], seen.result.grad
    if grad is None or weight.grad is None:
        return [Text("The weights get no gradient: they are frozen, or nothing arrives.")]
    delta = float(grad[place])
    edges = list(weighted.into(place))
    edges.sort(key=lambda e: -abs(float(weight.grad[e.weight])))  # type: ignore[index]
    rows = tuple(
        (weighted.label(e.source), str(list(e.weight)), delta, float(weighted.x[e.source]),
         delta * float(weighted.x[e.source]), float(weight.grad[e.weight]))
        for e in edges[:8]
    )  # fmt: skip
    places = weighted.y.size // weighted.y.shape[weighted.axis]
    words = "dL/dw is the engine's" + (
        f": the sum over {places} places that share the weight" if places > 1 else "")  # fmt: skip
    more = f"; the largest 8 of {len(edges)}" if len(edges) > 8 else ""
    heads = ("input", "weight", "dL/dz", "a", "dL/dz · a here", "dL/dw")
    return [Table("What its weights get", heads, rows, words + more)]


def explain_weight(walker: Walker, step: Step, parameter: Parameter, index: Index) -> list[Part]:
    """The gradient of one number of a parameter, as the sum of what each place contributes, in all
    calls that use it."""
    if parameter.grad is None:
        why = "it is frozen, or the loss does not depend on it"
        return [Text(step.silent(f"{parameter.name} gets no gradient: {why}."))]
    total, terms = float(parameter.grad[index]), []
    users = [(s, n) for s in step.calls for n, p in s.parameters.items() if p is parameter]
    for seen, name in users:
        terms += _gradient_terms(walker, seen, name, index, many=len(users) > 1)
    left = total - sum(t.value for t in terms)
    if walker.learner.penalty is not None and abs(left) > 1e-6 * abs(total):
        terms.append(Term("penalty of the weights", (), left))
    kind = "dL/dz" if parameter.name.endswith("bias") else "dL/dz · a"
    heads = ("place", "dL/dz", "" if kind == "dL/dz" else "a", kind)
    try:
        return [sum_of(f"dL/d {parameter.name}{list(index)}", f"dL/dw = Σ {kind}", heads, terms,
                       total, tolerance=1e-4)]  # fmt: skip
    except MisfitError:
        return [Text(f"dL/d {parameter.name}{list(index)} = {total:.6g}")]


def _gradient_terms(walker: Walker, seen: Seen, name: str, index: Index, many: bool) -> list[Term]:
    """What one call contributes to the gradient of a parameter of its module."""
    prefix, weighted = f"{seen.name} " if many else "", weighted_of(seen)
    try:
        if weighted is not None and name in ("weight", "bias"):
            terms = weighted.gradient(name, index)
            return [Term(prefix + t.label, t.factors, t.value) for t in terms]
        seeds = tuple(r.grad for r in seen.results)
        if all(g is None for g in seeds):
            return []
        _, own = pulled_back(walker, seen, seeds)
        value = float(own[name][index]) if name in own else 0.0
        return [Term(f"{prefix}{seen.kind}", (), value)]
    except MisfitError:
        return []


def explain_input(walker: Walker, step: Step, number: int, index: Index) -> list[Part]:
    """What arrives at one number of an input of the model."""
    value = step.inputs[number]
    if value.grad is None:
        why = ("No gradient arrives at this input: it holds whole numbers, or the loss does not "
               "depend on it.")  # fmt: skip
        return [Text(step.silent(why))]
    terms: list[Term] = []
    for reader in step.calls:
        for position, argument in enumerate(reader.arguments):
            if argument is value and value not in reader.results:
                terms += _sent_back(walker, reader, position, index)
    total = float(value.grad[index])
    terms.append(Term("by other paths", (), total - sum(t.value for t in terms)))
    kept = [t for t in terms if t.factors or abs(t.value) > 1e-6 * abs(total)]
    heads = ("sent by", "w or slope", "dL/dz", "product")
    return [sum_of("What the layers send back", "dL/dx = Σ w · dL/dz", heads, kept, total,
                   tolerance=1e-4)]  # fmt: skip
