"""Which values of a forward pass are looked at: outputs of layers, while a step is recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ... import nn
from ...frontend import Tensor
from ...frontend.modes import thread
from ...nn.calling import watching

__all__ = ["Tap", "Taps"]

#: layers whose outputs say nothing of their own
SILENT = (nn.Dropout, nn.AlphaDropout, nn.Identity, nn.Flatten)
#: layers whose units lie along axis 1, as those of the activations after them do
CHANNELS = (
    nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d,
    nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Tap:
    """The ``output`` of a layer that got ``arguments``; its units lie along ``axis``. ``reads`` is
    the path of the tap whose output the layer got, if nothing was computed in between."""

    path: str
    layer: nn.Module
    arguments: tuple[Any, ...]
    output: Tensor
    axis: int
    reads: str | None


class Taps:
    """The outputs of all innermost layers of ``model`` in one forward pass, in order.

    Layers that are called several times have one tap for each call: ``fc``, ``fc#2``. What happens
    in a loop is not looked at: a value of one of its steps leaves it by the loop's results alone.
    """

    def __init__(self, model: nn.Module) -> None:
        self._paths = {id(m): path for path, m in model.named_modules()}
        self._calls: dict[str, int] = {}
        self._axis = -1
        self._origin: dict[int, str] = {}  # of Tensors, the tap that they are the output of
        self._kept: list[Tensor] = []  # so that no other gets their place in memory
        self.taps: list[Tap] = []
        self._steps: dict[str, list[Tensor]] = {}  # what is given to the time steps of a layer

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Inside, calls of layers are heard."""
        with watching(self._heard, self._unrolled):
            yield

    def gradients(self) -> Mapping[str, Tensor]:
        """What arrived at the taps, after ``backward()``."""
        return {t.path: t.output.grad for t in self.taps if t.output.grad is not None}

    def through_time(self) -> Mapping[str, list[Tensor]]:
        """What arrived at each time step [steps, rows, ...] of recurrent layers, likewise."""
        return {
            path: gradients
            for path, given in self._steps.items()
            if (gradients := [g.grad for g in given if g.grad is not None])
        }

    def _unrolled(self, layer: nn.Module, given: Tensor) -> None:
        path, trace = self._paths.get(id(layer)), thread.trace
        inner = trace is not None and trace.scope is not trace
        if path is None or inner or not given.requires_grad:
            return
        given.retain_grad()
        self._steps.setdefault(path, []).append(given)

    def _heard(self, layer: nn.Module, arguments: tuple[Any, ...], result: Any) -> None:
        path = self._paths.get(id(layer))
        trace = thread.trace
        if path is None or any(True for _ in layer.children()):
            return
        if trace is not None and trace.scope is not trace:
            return
        reads = self._origin.get(id(arguments[0])) if arguments else None
        if isinstance(layer, SILENT):
            if reads is not None:
                self._origin[id(result)] = reads
                self._kept.append(result)
            return
        while isinstance(result, tuple) and result:
            result = result[0]
        if not isinstance(result, Tensor) or not result.dtype.is_float or not result.numel():
            return
        if isinstance(layer, CHANNELS):
            self._axis = 1
        elif any(True for _ in layer.parameters()):
            self._axis = -1
        if result.requires_grad:
            result.retain_grad()
        count = self._calls[path] = self._calls.get(path, 0) + 1
        name = path if count == 1 else f"{path}#{count}"
        axis = self._axis if result.ndim > 1 else -1
        self.taps.append(Tap(name, layer, arguments, result, axis, reads))
        self._origin[id(result)] = name
