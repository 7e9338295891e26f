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
)


def difference_of(entry: str, dtype: str) -> Difference | None:
    """The difference that concerns samples of ``dtype`` of ``entry``."""
    matches = (d for d in DIFFERENCES if entry in d.entries and dtype in d.dtypes)
    return next(matches, None)
