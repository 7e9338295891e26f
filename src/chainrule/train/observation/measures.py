"""The formulas of what is measured, as part of the compiled step.

Every measure is one number (or a row of counts), so that a step gives a flat list of them; `Sheet`
remembers what each of them is.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import nn
from ...frontend import Tensor
from ...frontend.apply import scalar, tensor_of
from ...frontend.operations.arithmetic import cast, where
from ...frontend.operations.creation import arange
from ...frontend.transforms import vjp
from ...ir.types import DType
from ...nn.stateless import functional_call
from .observation import Histogram, LayerStatistics
from .taps import Tap

__all__ = ["BINS", "Sheet"]

BINS = 32
#: of a sequence, at which what arrives is told apart
PIECES = 32
THROUGH_TIME = "through_time"
#: what each unit reaches, and by what gradients are divided: no measures of their own
REACH, MASS = "reach", "mass"
#: sums of squares of gradients of what is summed over the batch
OF_SUMS = ("backward", "noise")

#: where the slope of an activation is below a twentieth of its steepest, in terms of its output
SATURATED: Mapping[type[nn.Module], Callable[[Tensor], Tensor]] = {
    nn.Sigmoid: lambda a: a * (1.0 - a) < 0.25 / 20,
    nn.Tanh: lambda a: 1.0 - a * a < 1 / 20,
    nn.Softsign: lambda a: (1.0 - a.abs()) ** 2 < 1 / 20,
    nn.Hardsigmoid: lambda a: (a <= 0.0) | (a >= 1.0),
    nn.ReLU6: lambda a: a >= 6.0,
}
#: layers that treat each example of a batch for itself, and whose derivatives are one product
APART = (
    nn.Linear, nn.Embedding,
    nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d,
)  # fmt: skip
#: activations that let nothing pass where their output is zero
CUTTING = (nn.ReLU, nn.ReLU6, nn.Threshold, nn.Hardshrink, nn.Softshrink)


def square_sum(x: Tensor) -> Tensor:
    """Sum of squares of all elements, in float32."""
    return (x * x).sum()


def reach(outputs: Tensor, axis: int) -> Tensor:
    """The largest absolute output of each unit along ``axis``."""
    axis %= outputs.ndim
    others = tuple(i for i in range(outputs.ndim) if i != axis)
    return outputs.abs().amax(others) if others else outputs.abs()


def histogram(x: Tensor) -> list[Tensor]:
    """Lowest and highest value, and how many lie in each of `BINS` equal bins between them."""
    flat = x.reshape(-1, 1)
    low, high = flat.amin(), flat.amax()
    width = (high - low) / BINS
    edges = low + width * arange(1, BINS)
    below = cast(flat < edges, DType.f32).sum(0)
    return [low, high, below]


def noise(tap: Tap, gradient: Tensor) -> Tensor:
    """How far chance moves the gradient of a layer's parameters: an unbiased estimate of the trace
    of the covariance of the mean over the batch.

    The layer is differentiated once more, with the ``gradient`` of every other example turned
    round. What the examples have in common cancels. Of 2k of B examples, the sum that is left has
    2k / B of the variance of the whole one.
    """
    rows = gradient.shape[0]
    paired = rows // 2 * 2
    signs = np.where(np.arange(rows) < paired, 1.0 - 2.0 * (np.arange(rows) % 2), 0.0)
    turning = tensor_of(signs.astype(np.float32).reshape(-1, *[1] * (gradient.ndim - 1)))
    own = {name: p.detach() for name, p in tap.layer.named_parameters() if p.requires_grad}
    arguments = tuple(a.detach() if isinstance(a, Tensor) else a for a in tap.arguments)
    _, pull = vjp(lambda given: functional_call(tap.layer, given, arguments), own)
    [turned] = pull(gradient.detach() * turning)
    squares = [square_sum(g) for g in turned.values()]
    return sum(squares[1:], start=squares[0]) * (rows / paired)


def has_noise(tap: Tap, batch: int, gradient: Tensor) -> bool:
    """Whether a layer treats each example of the batch for itself, and learns."""
    learns = any(p.requires_grad for p in tap.layer.parameters())
    return isinstance(tap.layer, APART) and learns and gradient.shape[0] == batch > 1


class Sheet:
    """What is measured in one recording of a step: ``values``, and how to read them again.

    Of a part of a batch, what is measured means something in sum over all parts: ``share`` is how
    much of the batch it is. Gradients are ``mass`` times those of a mean. Histograms of outputs are
    those of the parts that are ``drawn``.
    """

    def __init__(
        self,
        share: Tensor | None = None,
        mass: Tensor | None = None,
        drawn: Tensor | None = None,
    ) -> None:
        self._share, self._drawn = share, drawn
        self.values: list[Tensor] = []
        self._columns: list[tuple[str, str]] = []  # the layer and the measure of each value
        self._kinds: dict[str, str] = {}
        self._reads: dict[str, str | None] = {}
        self._sizes: dict[tuple[str, str], int] = {}  # of what a histogram is made of
        if mass is not None:
            self._add("", MASS, mass)

    def noise(self, taps: Sequence[Tap], gradients: Mapping[str, Tensor], batch: int) -> None:
        """Of the layers that are called once: of several calls, gradients are not independent."""
        calls = Counter(id(tap.layer) for tap in taps)
        for tap in taps:
            gradient = gradients.get(tap.path)
            if gradient is None or calls[id(tap.layer)] > 1:
                continue
            if has_noise(tap, batch, gradient):
                self._add(tap.path, "noise", noise(tap, gradient))

    def output(self, tap: Tap, gradient: Tensor | None, full: bool) -> None:
        """Of a layer's output, and of the gradient that arrived there."""
        values, layer = tap.output.detach(), tap.layer
        self._kinds[tap.path] = type(layer).__name__
        self._reads[tap.path] = tap.reads
        self._add(tap.path, "mean", self._weighed(values.mean()))
        self._add(tap.path, "square", self._weighed((values * values).mean()))
        if isinstance(layer, CUTTING):
            self._add(tap.path, REACH, reach(values, tap.axis))
        saturated = SATURATED.get(type(layer))
        if saturated is not None:
            share = cast(saturated(values), DType.f32).mean()
            self._add(tap.path, "saturated", self._weighed(share))
        if gradient is not None:
            self._add(tap.path, "backward", square_sum(gradient))
        if full:
            self._histogram(tap.path, "output", values, self._drawn)

    def through_time(self, path: str, gradients: Sequence[Tensor]) -> None:
        """Of what arrived at each time step of a recurrent layer, in all of its layers. Of calls
        of different lengths, the first one's."""
        for gradient in gradients:
            if gradient.shape[0] == gradients[0].shape[0]:
                self._add(path, THROUGH_TIME, (gradient * gradient).sum((1, 2)))

    def parameters(
        self,
        path: str,
        layer: nn.Module,
        before: Sequence[Tensor],
        gradients: Sequence[Tensor],
        clipped: Sequence[Tensor],
        after: Sequence[Tensor],
        full: bool,
    ) -> None:
        """Of a layer's own parameters before and after the step, and of their gradients."""
        self._kinds.setdefault(path, type(layer).__name__)
        for value, new in zip(before, after, strict=True):
            self._add(path, "weight", square_sum(value))
            self._add(path, "update", square_sum(new - value))
        for name, values in (("gradient", gradients), ("clipped", clipped)):
            for value in values:
                self._add(path, name, square_sum(value))
        if full and before:
            self._histogram(path, "weight", max(before, key=Tensor.numel))
        if full and gradients:
            self._histogram(path, "gradient", max(gradients, key=Tensor.numel))

    def _add(self, path: str, name: str, value: Tensor) -> None:
        self._columns.append((path, name))
        self.values.append(value)

    def _weighed(self, mean: Tensor) -> Tensor:
        return mean if self._share is None else mean * self._share

    def _histogram(self, path: str, name: str, values: Tensor, drawn: Tensor | None = None) -> None:
        columns = dict(zip(("low", "high", "below"), histogram(values), strict=True))
        if drawn is None:
            self._sizes[path, name] = values.numel()
        else:
            columns["size"] = scalar(float(values.numel()), DType.f32)
        for part, value in columns.items():
            kept = value if drawn is None else where(drawn, value, 0.0)
            self._add(path, f"{name}.{part}", kept)

    def joined(self, other: Sheet) -> Sheet:
        """How to read what both have measured, one after the other."""
        both = Sheet()
        both._columns = [*self._columns, *other._columns]
        both._kinds, both._reads = self._kinds | other._kinds, self._reads | other._reads
        both._sizes = self._sizes | other._sizes
        return both

    # ----------------------------------------------------------------------- read again

    def read(self, values: Sequence[npt.NDArray[np.floating]]) -> dict[str, LayerStatistics]:
        """The numbers of one step, by layer."""
        found: dict[str, dict[str, float]] = {path: {} for path in self._kinds}
        mass = 1.0
        counts: dict[tuple[str, str], npt.NDArray[np.floating]] = {}
        steps: dict[str, npt.NDArray[np.floating]] = {}
        for (path, name), value in zip(self._columns, values, strict=True):
            if name.endswith(".below"):
                counts[path, name.removesuffix(".below")] = value
            elif name == MASS:
                mass = float(value) or 1.0
            elif name == REACH:
                found[path]["dead"] = float(np.mean(value == 0.0))
            elif name == THROUGH_TIME:
                steps[path] = steps[path] + value if path in steps else value
            else:  # several parameters add up to one sum of squares
                found[path][name] = found[path].get(name, 0.0) + float(value)
        histograms: dict[str, dict[str, Histogram]] = {path: {} for path in self._kinds}
        for (path, name), below in counts.items():
            low, high = (found[path].pop(f"{name}.{end}") for end in ("low", "high"))
            size = int(found[path].pop(f"{name}.size", 0.0)) or self._sizes[path, name]
            inner = np.diff(below.astype(int), prepend=0, append=size)
            histograms[path][name] = Histogram(low, high, tuple(inner.tolist()))
        for numbers in found.values():
            numbers.update({name: numbers[name] / mass**2 for name in OF_SUMS if name in numbers})
        return {
            path: replace(
                _statistics(kind, self._reads.get(path), found[path], histograms[path]),
                through_time=_in_pieces(steps[path] / mass**2 if path in steps else None),
            )
            for path, kind in self._kinds.items()
        }


def _in_pieces(squares: npt.NDArray[np.floating] | None) -> tuple[float, ...] | None:
    """Norms by time step; of more than `PIECES`, of equal pieces the root mean square."""
    if squares is None:
        return None
    pieces = np.array_split(squares.astype(np.float64), min(len(squares), PIECES))
    return tuple(math.sqrt(piece.mean()) for piece in pieces)


def _statistics(
    kind: str, reads: str | None, sums: dict[str, float], histograms: dict[str, Histogram]
) -> LayerStatistics:
    norms = ("weight", "gradient", "clipped", "update", "backward", "noise")
    numbers: dict[str, Any] = {
        name: math.sqrt(value) if name in norms else value
        for name, value in sums.items()
        if name != "square"
    }
    if "square" in sums:
        numbers["std"] = math.sqrt(max(sums["square"] - sums["mean"] ** 2, 0.0))
    return LayerStatistics(kind, reads, **numbers, histograms=histograms)
