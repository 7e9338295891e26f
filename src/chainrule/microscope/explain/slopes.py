"""Any layer, by its slopes: y = sum of dy/dx · x, and what is left, which no slope explains.

The slopes are the layer's own derivatives: the layer is called once more on the numbers that it
got, and what comes out must be what came out in the step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import nn
from ...errors import ChainruleError
from ...frontend import Tensor
from ...frontend.apply import from_array
from ..recording import tensors_in
from ..shown import MisfitError, Sum, Term, sum_of
from ..walk import Seen, Walker

__all__ = ["Slopes", "slopes_of"]

Array = npt.NDArray[Any]
Index = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Slopes:
    """The derivatives of one output by each argument and each parameter; None where there is no
    such derivative."""

    arguments: tuple[Array | None, ...]
    parameters: dict[str, Array]


def slopes_of(walker: Walker, seen: Seen, place: Index) -> Slopes:
    """Of the output at ``place``. MisfitError for a layer that cannot be called again with the
    Tensors alone, or gives something else: one that draws random numbers, say."""
    seed = np.zeros(seen.result.array.shape, np.float32)
    seed[place] = 1.0
    grads, parameters = pulled_back(walker, seen, (seed,))
    return Slopes(grads, parameters)


def pulled_back(
    walker: Walker, seen: Seen, seeds: tuple[Array | None, ...]
) -> tuple[tuple[Array | None, ...], dict[str, Array]]:
    """Cotangents of arguments and own parameters, for those of the first results."""
    layer: nn.Module = seen.layer
    with walker.mode():
        given = [_leaf(v.array) for v in seen.arguments]
        layer.zero_grad()
        try:
            results = tensors_in((layer(*given),))
        except (ChainruleError, TypeError, ValueError) as error:
            raise MisfitError(str(error)) from None
        _check_same(seen, results)
        wanted = [
            (y, g)
            for y, g in zip(results, seeds, strict=False)
            if y.requires_grad and g is not None
        ]
        for y, g in wanted:
            y.backward(from_array(g))
        grads = tuple(x.grad.numpy() if x.grad is not None else None for x in given)
        own = {n: p.grad.numpy() for n, p in layer.named_parameters() if p.grad is not None}
    return grads, own


def _leaf(array: Array) -> Tensor:
    tensor = from_array(np.array(array))
    return tensor.requires_grad_() if tensor.dtype.is_float else tensor


def _check_same(seen: Seen, results: list[Tensor]) -> None:
    if not results or results[0].shape != seen.result.array.shape:
        raise MisfitError("another shape")
    again, first = results[0].numpy(), seen.result.array
    if not np.allclose(again, first, rtol=1e-4, atol=1e-5, equal_nan=True):
        raise MisfitError("other numbers")


def forward_sum(walker: Walker, seen: Seen, place: Index) -> Sum:
    """The output as the sum of its inputs, each times the slope there."""
    slopes, terms = slopes_of(walker, seen, place), []
    for number, (value, slope) in enumerate(zip(seen.arguments, slopes.arguments, strict=True)):
        if slope is None:
            continue
        name = "a" if len(seen.arguments) == 1 else f"a{number}"
        for index in map(tuple, np.argwhere(slope)):
            x, s = float(value.array[index]), float(slope[index])
            spot = tuple(map(int, index))
            label = value.name(spot, f"{name}{list(spot[1:] or spot)}")
            terms.append(Term(label, (x, s), x * s))
    total = float(seen.result.array[place])
    left = total - sum(t.value for t in terms)
    size = max([abs(total), *(abs(t.value) for t in terms)])
    if abs(left) > 1e-5 * size:
        terms.append(Term("not in the slopes: bias, curvature", (), left))
    return sum_of("By its slopes", "y = Σ (∂y/∂a)·a + what is left", ("input", "a", "∂y/∂a",
                  "product"), terms, total)  # fmt: skip
