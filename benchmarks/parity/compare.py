"""One call on both sides: values, and derivatives along a random cotangent."""

from __future__ import annotations

import inspect
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import chainrule as cr
from benchmarks.parity.differences import Difference
from benchmarks.parity.samples import Arguments, array_of, tensors_in
from benchmarks.parity.verdict import Array, Exact, Outcome, Verdict, difference

Function = Callable[..., Any]

#: times that inputs are rounded otherwise
NUDGES = 4


@dataclass
class Expected:
    """What PyTorch gives: numbers, cotangents for those that have derivatives, and these."""

    values: list[Array]
    exact: list[Exact | None]
    #: which values take a cotangent, and the cotangents
    graded: list[int]
    cotangents: list[Array]
    #: which leaves have a gradient, and the gradients
    wanted: list[int]
    grads: list[Array]
    exact_grads: list[Exact | None]
    #: for each gradient the size of what may cancel in it
    scales: list[float]


def expect(function: Function, arguments: Arguments, rng: np.random.Generator) -> Expected:
    """PyTorch's side, in single precision and, where it exists, in double."""
    leaves = arguments.singles()
    outputs = _outputs(function, arguments, leaves)
    graded = [i for i, y in enumerate(outputs) if isinstance(y, torch.Tensor) and y.requires_grad]
    cotangents = [rng.standard_normal(tuple(outputs[i].shape)).astype(np.float32) for i in graded]
    wanted = [i for i, t in enumerate(leaves) if t.requires_grad] if graded else []
    grads = _pulled(outputs, leaves, graded, cotangents, wanted)
    exact: list[Exact | None] = [None] * len(outputs)
    exact_grads: list[Exact | None] = [None] * len(wanted)
    try:
        double = _in_double(function, arguments, arguments.doubles(), graded, cotangents, wanted)
        if [y.shape for y in double[0]] == [_shape(y) for y in outputs]:
            nudge = np.random.default_rng(0)
            nudged = [
                _in_double(
                    function, arguments, arguments.doubles(nudge), graded, cotangents, wanted
                )
                for _ in range(NUDGES)
            ]
            exact = [Exact.of(*ys) for ys in zip(double[0], *(n[0] for n in nudged), strict=True)]
            exact_grads = [
                Exact.of(*gs) for gs in zip(double[1], *(n[1] for n in nudged), strict=True)
            ]
    except (RuntimeError, TypeError, ValueError, IndexError):
        pass  # not every function takes double beside what else it was given
    values = [_numbers(y) for y in outputs]
    scales = _scales(function, arguments, graded, cotangents, wanted)
    return Expected(values, exact, graded, cotangents, wanted, grads, exact_grads, scales)


def _in_double(
    function: Function,
    arguments: Arguments,
    leaves: list[torch.Tensor],
    graded: Sequence[int],
    cotangents: Sequence[Array],
    wanted: Sequence[int],
) -> tuple[list[Array], list[Array]]:
    """Values and gradients for ``leaves`` in double precision."""
    outputs = _outputs(function, arguments, leaves)
    grads = _pulled(outputs, leaves, graded, cotangents, wanted)
    return [_numbers(y) for y in outputs], grads


def _scales(
    function: Function,
    arguments: Arguments,
    graded: Sequence[int],
    cotangents: Sequence[Array],
    wanted: Sequence[int],
) -> list[float]:
    """The largest cotangent, of which multiples are summed; 0 where each element has its own.

    A function is element by element if one element of the cotangent reaches that element alone.
    """
    if not wanted:
        return []
    largest = max(float(np.abs(g).max(initial=0.0)) for g in cotangents)
    if len(cotangents) > 1 or not cotangents[0].size:
        return [largest] * len(wanted)
    leaves = arguments.singles()
    probe = np.zeros_like(cotangents[0])
    probe.flat[probe.size // 2] = 1.0
    outputs = _outputs(function, arguments, leaves)
    reached = _pulled(outputs, leaves, graded, [probe], wanted)
    return [
        0.0 if r.shape == probe.shape and ((r != 0) == (probe != 0)).all() else largest
        for r in reached
    ]


def _outputs(function: Function, arguments: Arguments, leaves: Sequence[Any]) -> list[Any]:
    args, kwargs = arguments.for_torch(leaves)
    return tensors_in(function(*args, **kwargs))


def _shape(y: Any) -> tuple[int, ...]:
    return tuple(y.shape) if isinstance(y, torch.Tensor) else np.shape(y)


def _numbers(y: Any) -> Array:
    return array_of(y) if isinstance(y, torch.Tensor) else np.asarray(y)


def _pulled(
    outputs: Sequence[Any],
    leaves: Sequence[torch.Tensor],
    graded: Sequence[int],
    cotangents: Sequence[Array],
    wanted: Sequence[int],
) -> list[Array]:
    if not wanted:
        return []
    xs = [leaves[i] for i in wanted]
    ys = [outputs[i] for i in graded]
    gs = [torch.from_numpy(g).to(y.dtype) for g, y in zip(cotangents, ys, strict=True)]
    pulled = torch.autograd.grad(ys, xs, gs, allow_unused=True)
    return [
        np.zeros(tuple(x.shape), np.float32) if g is None else array_of(g)
        for x, g in zip(xs, pulled, strict=True)
    ]


# ------------------------------------------------------------------------------------ ours


def judged(way: str, run: Callable[[], str]) -> Outcome:
    """``run`` says how numbers differ; what it raises becomes a verdict."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = run()
    except cr.ChainruleError as error:
        kind = type(error).__name__
        if kind == "VerifyError":
            return Outcome(Verdict.INTERNAL, way, f"{kind}: {error.what}")
        return Outcome(Verdict.REFUSED, way, f"{kind}: {error.what}")
    except MarkedError as error:
        return Outcome(Verdict.WRONG, way, str(error), marked=True)
    except UnknownArgumentError as error:
        return Outcome(Verdict.REFUSED, way, f"argument not known: {error}")
    except Exception as error:
        return Outcome(Verdict.INTERNAL, way, f"{_shown(error)} {_place(error)}")
    return Outcome(Verdict.WRONG, way, found) if found else Outcome(Verdict.EQUAL, way)


def by_design(outcome: Outcome, known: Difference | None) -> Outcome:
    """``outcome``; where it is equal to what differs from PyTorch on purpose, that."""
    if known is None or outcome.verdict is not Verdict.EQUAL:
        return outcome
    return Outcome(Verdict.DESIGN, outcome.way, known.why)


class MarkedError(Exception):
    """Numbers differ, and there is a NaN among them; the message says how they differ."""


class UnknownArgumentError(Exception):
    """The signature has no such argument."""


def bound(function: Function, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
    """`UnknownArgumentError` if the signature of ``function`` lacks an argument that is given."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        raise UnknownArgumentError(str(error)) from None


def _shown(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def _place(error: BaseException) -> str:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "chainrule" in f.filename]
    return f"({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""


def eager(function: Function, arguments: Arguments, expected: Expected) -> str:
    """Operations one by one; derivatives by ``backward()``."""
    arrays = arguments.arrays()
    leaves = [cr.tensor(a) for a in arrays]
    for i in expected.wanted:
        leaves[i].requires_grad_()
    args, kwargs = arguments.for_ours(leaves)
    bound(function, args, kwargs)
    outputs = tensors_in(function(*args, **kwargs))
    found = compared([_ours(y) for y in outputs], expected.values, expected.exact, "value")
    if found:
        return found
    if expected.wanted:
        for i, g in zip(expected.graded, expected.cotangents, strict=True):
            if outputs[i].requires_grad:
                outputs[i].backward(cr.tensor(g))
    grads = [
        np.zeros(leaves[i].shape, np.float32) if leaves[i].grad is None else leaves[i].grad.numpy()
        for i in expected.wanted
    ]
    return compared(grads, expected.grads, expected.exact_grads, "gradient", expected.scales)


def compiled(function: Function, arguments: Arguments, expected: Expected) -> str:
    """One program for values and derivatives; these by `chainrule.vjp`."""

    def values(leaves: Sequence[Any]) -> list[Any]:
        args, kwargs = arguments.for_ours(leaves)
        return tensors_in(function(*args, **kwargs))

    @cr.compile
    def step(leaves: list[Any], gs: list[Any]) -> tuple[list[Any], list[Any]]:
        outputs = values(leaves)
        if not expected.wanted:
            return outputs, []

        def real(*xs: Any) -> list[Any]:
            given = list(leaves)
            for i, x in zip(expected.wanted, xs, strict=True):
                given[i] = x
            every = values(given)
            return [every[i] for i in expected.graded]

        _, pull = cr.vjp(real, *(leaves[i] for i in expected.wanted))
        return outputs, list(pull(gs))

    arrays = [cr.tensor(a) for a in arguments.arrays()]
    bound(function, *arguments.for_ours(arrays))
    outputs, grads = step(arrays, expected.cotangents)
    return compared_all([_ours(y) for y in outputs], [_ours(g) for g in grads], expected)


def _ours(y: Any) -> Array:
    return y.numpy() if isinstance(y, cr.Tensor) else np.asarray(y)


def compared_all(values: Sequence[Array], grads: Sequence[Array], expected: Expected) -> str:
    """How values or else gradients differ; empty if none do.

    Raises MarkedError instead if a value is NaN.
    """
    how = compared(values, expected.values, expected.exact, "value") or compared(
        grads, expected.grads, expected.exact_grads, "gradient", expected.scales
    )
    if how and any(y.dtype.kind == "f" and np.isnan(y).any() for y in values):
        raise MarkedError(how)
    return how


def compared(
    ours: Sequence[Array],
    single: Sequence[Array],
    exact: Sequence[Exact | None],
    what: str,
    scales: Sequence[float] | None = None,
) -> str:
    """How the first of several arrays that differs does; empty if none does."""
    if len(ours) != len(single):
        return f"{len(ours)} {what}s, PyTorch {len(single)}"
    sizes = scales or [0.0] * len(ours)
    together = zip(ours, single, exact, sizes, strict=True)
    for number, (mine, theirs, double, size) in enumerate(together):
        found = difference(mine, theirs, double, size)
        if found:
            return f"{what} {number}: {found}"
    return ""
