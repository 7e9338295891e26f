"""Where Chainrule differs from PyTorch on purpose, each with its reason; nothing else is excused.

A sample that is concerned is compared with what ``instead`` makes of PyTorch's function, which is
what Chainrule promises. docs/parity.md shows the same table.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from unittest import mock

import torch

Function = Callable[..., Any]


@dataclass(frozen=True)
class Difference:
    """Entries, the dtypes of their samples that are concerned, the promise, and why."""

    entries: frozenset[str]
    dtypes: frozenset[str]
    instead: Callable[[Function], Function]
    why: str


def _with_inputs(convert: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Function], Function]:
    """The function of tensors that ``convert`` has made of its arguments."""

    def instead(function: Function) -> Function:
        @functools.wraps(function)
        def converted(*args: Any, **kwargs: Any) -> Any:
            ready = [convert(a) if isinstance(a, torch.Tensor) else a for a in args]
            if "alpha" in kwargs:  # a factor of the same kind
                kwargs = {**kwargs, "alpha": int(kwargs["alpha"])}
            return function(*ready, **kwargs)

        return converted

    return instead


def _with_result(convert: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Function], Function]:
    """The function with its result converted."""
    return lambda function: lambda *args, **kwargs: convert(function(*args, **kwargs))


def _without_bfloat16(function: Function) -> Function:
    """The function with products of matrices in the precision of the parameters."""

    @functools.wraps(function)
    def precise(*args: Any, **kwargs: Any) -> Any:
        with mock.patch.object(torch.Tensor, "bfloat16", torch.Tensor.clone):
            return function(*args, **kwargs)

    return precise


_ctc_loss = torch.ctc_loss


def _ctc_loss_of_scores(
    x: torch.Tensor,
    targets: torch.Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int,
    reduction: int,
    zero_infinity: bool,
) -> torch.Tensor:
    """`torch.ctc_loss` with the derivative of its value, which is exp(x) less than PyTorch's."""
    given = (x, targets, input_lengths, target_lengths, blank, 0)
    loss = _ctc_loss(*given, zero_infinity)
    possible = _ctc_loss(*given, False).isfinite()
    steps = torch.arange(len(x)).reshape(-1, *[1] * (x.ndim - 2))
    read = steps < torch.as_tensor(input_lengths)
    nothing = (x.exp().detach() * (x - x.detach())).sum(-1)
    loss = loss - torch.where(read & possible, nothing, torch.zeros_like(nothing)).sum(0)
    if reduction == 1:
        return (loss / torch.as_tensor(target_lengths).clamp(min=1)).mean()
    return loss.sum() if reduction == 2 else loss


def _of_scores(function: Function) -> Function:
    """The function with the derivative of the loss by its scores, whatever they are."""

    @functools.wraps(function)
    def derived(*args: Any, **kwargs: Any) -> Any:
        with mock.patch.object(torch, "ctc_loss", _ctc_loss_of_scores):
            return function(*args, **kwargs)

    return derived


DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        frozenset({"add", "mul", "__radd__", "__rmul__", "outer"}),
        frozenset({"bool"}),
        _with_inputs(lambda t: t.int()),
        "sums and products of bools count: True + True is 2, an int32 (PyTorch: True)",
    ),
    Difference(
        frozenset({"all", "any"}),
        frozenset({"uint8"}),
        _with_result(lambda t: t.bool()),
        "all and any give bools, of bytes too (PyTorch: bytes, for the sake of old programs)",
    ),
    Difference(
        frozenset({"nn.functional.hardtanh"}),
        frozenset({"int32", "uint8"}),
        _with_inputs(lambda t: t.float()),
        "whole numbers between real bounds are real numbers (PyTorch: bounds are cut to whole "
        "numbers, so that hardtanh between -0.5 and 0.5 is 0)",
    ),
    Difference(
        frozenset({"nn.functional.interpolate.bilinear", "nn.functional.upsample_bilinear"}),
        frozenset({"uint8"}),
        _with_inputs(lambda t: t.double()),  # in float32 its positions are rough
        "pixels that are blended are real numbers (PyTorch: bytes are rounded to bytes)",
    ),
    Difference(
        frozenset({"Muon"}),
        frozenset({"float32"}),
        _without_bfloat16,
        "Muon multiplies matrices in float32 (PyTorch: in bfloat16)",
    ),
    Difference(
        frozenset({"nn.functional.ctc_loss", "nn.CTCLoss"}),
        frozenset({"float32"}),
        _of_scores,
        "the gradient of ctc_loss is that of its value (PyTorch: right behind log_softmax alone)",
    ),
)


def difference_of(entry: str, dtype: str) -> Difference | None:
    """The difference that concerns samples of ``dtype`` of ``entry``."""
    matches = (d for d in DIFFERENCES if entry in d.entries and dtype in d.dtypes)
    return next(matches, None)
