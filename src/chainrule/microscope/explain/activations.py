"""Layers that change each number on its own: the curve, the point on it, the tangent."""

from __future__ import annotations

import numpy as np

from ... import nn
from ...errors import ChainruleError
from ...frontend.apply import from_array
from ..shown import Curve, MisfitError, Part, Table
from ..walk import Seen, Walker

__all__ = ["ELEMENTWISE", "curve_of"]

ELEMENTWISE = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.CELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish,
    nn.Sigmoid, nn.Tanh, nn.Softplus, nn.LogSigmoid, nn.Softsign, nn.Tanhshrink, nn.Hardtanh,
    nn.Hardsigmoid, nn.Hardswish, nn.Hardshrink, nn.Softshrink, nn.Threshold,
)  # fmt: skip
POINTS = 81


def curve_of(walker: Walker, seen: Seen, place: tuple[int, ...]) -> list[Part]:
    """The curve, drawn by the layer itself, and what the chain rule does here."""
    x, y = float(seen.given.array[place]), float(seen.result.array[place])
    reach = max(4.0, 1.25 * abs(x))
    grid = np.linspace(-reach, reach, POINTS, dtype=np.float32)
    points = from_array(np.append(grid, np.float32(x))).requires_grad_()
    try:
        with walker.mode():
            values = seen.layer(points)
            values.backward(from_array(np.ones(POINTS + 1, np.float32)))
            drawn = values.numpy()
            assert points.grad is not None
            slope = float(points.grad.numpy()[-1])
    except ChainruleError as error:
        raise MisfitError(str(error)) from None
    if not np.isclose(drawn[-1], y, rtol=1e-4, atol=1e-6):
        raise MisfitError("another function of each element")
    words = f"at {x:.5g} the value is {y:.5g} and the slope {slope:.5g}"
    curve = Curve(f"{seen.kind} around the value", tuple(map(float, grid)),
                  tuple(map(float, drawn[:-1])), (x, y), slope, words)  # fmt: skip
    return [curve, *_chain(seen, place, slope)]


def _chain(seen: Seen, place: tuple[int, ...], slope: float) -> list[Part]:
    """Upstream times local derivative."""
    upstream, back = seen.result.grad, seen.given.grad
    if upstream is None:
        return []
    u = float(upstream[place])
    rows = [("upstream  dL/da", u), (f"local  {seen.kind}'(z)", slope), ("product", u * slope)]
    if back is not None:
        rows.append(("dL/dz, as the engine has it", float(back[place])))
    return [Table("Upstream times local derivative", ("", "value"), tuple(rows))]
