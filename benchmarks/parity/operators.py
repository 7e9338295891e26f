"""Operators: every sample of `op_db` in every way that we have the operator."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.testing._internal.common_methods_invocations import op_db

import chainrule as cr
from benchmarks.parity.compare import bound, by_design, compiled, eager, expect, judged
from benchmarks.parity.counterparts import RANDOM, Way, ways
from benchmarks.parity.differences import difference_of
from benchmarks.parity.effort import Effort
from benchmarks.parity.samples import Arguments, tensors_in
from benchmarks.parity.verdict import KINDS, Outcome, Result

#: int64 stands in for entries that take no other dtype of ours
DTYPES = (torch.float32, torch.int32, torch.uint8, torch.bool)


def entries(only: set[str]) -> list[Any]:
    """The entries with a counterpart."""
    chosen = [op for op in op_db if ways(op)]
    return [op for op in chosen if not only or only & names(op)]


def names(op: Any) -> set[str]:
    """What an entry may be called on the command line."""
    return {op.name, full_name(op), op.name.removeprefix("nn.functional.")}


def full_name(op: Any) -> str:
    """The name with the variant."""
    return f"{op.name}.{op.variant_test_name}" if op.variant_test_name else str(op.name)


def results(op: Any, effort: Effort) -> Iterator[Result]:
    """The result of each sample."""
    supported = op.supported_dtypes("cpu")
    dtypes = [d for d in DTYPES if d in supported] or sorted({torch.int64} & supported, key=str)
    for dtype in dtypes:
        name = str(dtype).removeprefix("torch.")
        for number, sample in chosen(op, dtype, effort):
            arguments = Arguments((sample.input, *sample.args), sample.kwargs)
            rng = effort.rng(full_name(op), number)
            outcomes = [
                o
                for way in ways(op)
                if not (way.inplace and sample.broadcasts_input)
                for o in judge(op, way, arguments, rng, name)
            ]
            yield Result(full_name(op), name, number, tuple(outcomes), str(arguments))


def chosen(op: Any, dtype: torch.dtype, effort: Effort) -> list[tuple[int, Any]]:
    """The samples of ``op``, or as many of them as are wanted, with their numbers."""
    torch.manual_seed(effort.seed)
    np.random.seed(effort.seed)  # what PyTorch's samples draw from
    grad = dtype.is_floating_point and op.supports_autograd
    draw = op.reference_inputs if effort.reference else op.sample_inputs
    samples = list(enumerate(draw("cpu", dtype, requires_grad=grad)))
    if not effort.most or len(samples) <= effort.most:
        return samples
    kept = effort.rng(full_name(op), len(samples)).permutation(len(samples))[: effort.most]
    return [samples[i] for i in sorted(kept)]


def judge(
    op: Any, way: Way, arguments: Arguments, rng: np.random.Generator, dtype: str
) -> Iterator[Outcome]:
    """Eager and compiled."""
    random = op.name.removeprefix("nn.functional.") in RANDOM and not _certain(arguments)
    if random or arguments.kwargs.get("dropout_p"):
        yield judged(f"{way.name} drawn", lambda: _drawn(way, arguments))
        return
    if way.inplace:
        arguments = arguments.without_gradients()
    known = None if way.inplace else difference_of(full_name(op), dtype)
    theirs = known.instead(way.theirs) if known else way.theirs
    try:
        expected = expect(theirs, arguments, rng)
    except (RuntimeError, TypeError):
        if way.method:
            return  # in place or as an operator PyTorch does not take this sample
        raise
    first = judged(f"{way.name} eager", functools.partial(eager, way.ours, arguments, expected))
    check = functools.partial(compiled, way.ours, arguments, expected)
    for outcome in (first, judged(f"{way.name} compiled", check).beside(first)):
        yield by_design(outcome, known)


def _certain(arguments: Arguments) -> bool:
    """Whether a layer of noise is switched off."""
    kwargs = arguments.kwargs
    return kwargs.get("training") is False or kwargs.get("p") == 0


def _drawn(way: Way, arguments: Arguments) -> str:
    """Numbers that are drawn agree in count, shape and kind."""
    args, kwargs = arguments.for_torch(arguments.singles())
    theirs = [y.detach().numpy() for y in tensors_in(way.theirs(*args, **kwargs))]
    args, kwargs = arguments.for_ours([cr.tensor(a) for a in arguments.arrays()])
    bound(way.ours, args, kwargs)
    ours = [y.numpy() for y in tensors_in(way.ours(*args, **kwargs))]
    described = [[(y.shape, KINDS[y.dtype.kind]) for y in ys] for ys in (ours, theirs)]
    return "" if described[0] == described[1] else f"{described[0]}, PyTorch {described[1]}"
