"""Arguments of a sample, with their tensors taken out so that both sides can be given their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

import chainrule.nn.functional as F
from benchmarks.parity.verdict import EPS, Array

#: arguments that say where or how PyTorch computes, not what
HOW = frozenset(
    {"device", "layout", "memory_format", "pin_memory", "non_blocking"}
    | {"foreach", "fused", "capturable", "differentiable"}
)
#: arguments that say nothing with this value, which is PyTorch's default
NOTHING: tuple[tuple[str, Any], ...] = (
    ("return_indices", False),
    ("antialias", False),
    ("inplace", False),
    ("scale_grad_by_freq", False),
    ("sparse", False),
    ("max_norm", None),
    ("recompute_scale_factor", None),
    ("recompute_scale_factor", False),
    ("dtype", None),
    ("requires_grad", False),
)


@dataclass(frozen=True)
class Slot:
    """Where a tensor stood."""

    index: int


def _taken(value: Any, leaves: list[torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        leaves.append(value)
        return Slot(len(leaves) - 1)
    if isinstance(value, torch.Size):
        return tuple(value)
    if isinstance(value, Mapping):
        return {k: _taken(v, leaves) for k, v in value.items()}
    if isinstance(value, list):
        return [_taken(v, leaves) for v in value]
    if type(value) is tuple:
        return tuple(_taken(v, leaves) for v in value)
    return value


def _filled(tree: Any, leaves: Sequence[Any], ours: bool) -> Any:
    if isinstance(tree, Slot):
        return leaves[tree.index]
    if isinstance(tree, dict):
        return {k: _filled(v, leaves, ours) for k, v in tree.items()}
    if isinstance(tree, list):
        return [_filled(v, leaves, ours) for v in tree]
    if type(tree) is tuple:
        return tuple(_filled(v, leaves, ours) for v in tree)
    if ours and isinstance(tree, torch.dtype):
        return str(tree).removeprefix("torch.")
    if ours and callable(tree):  # an activation
        return getattr(F, getattr(tree, "__name__", ""), tree)
    return tree


class Arguments:
    """``args`` and ``kwargs`` of a call, as a form and the tensors in it."""

    def __init__(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self.leaves: list[torch.Tensor] = []
        self.args = _taken(tuple(args), self.leaves)
        self.kwargs = _taken(dict(kwargs), self.leaves)

    def for_torch(self, leaves: Sequence[Any]) -> tuple[Any, Any]:
        """The arguments with ``leaves`` in place of the tensors."""
        return _filled(self.args, leaves, False), _filled(self.kwargs, leaves, False)

    def for_ours(self, leaves: Sequence[Any]) -> tuple[Any, Any]:
        """The same in our terms: dtypes by name, nothing about devices and layouts."""
        kwargs = {k: v for k, v in self.kwargs.items() if k not in HOW and not _says_nothing(k, v)}
        return _filled(self.args, leaves, True), _filled(kwargs, leaves, True)

    def singles(self) -> list[torch.Tensor]:
        """The tensors as leaves of their own."""
        return [t.detach().requires_grad_(t.requires_grad) for t in self.leaves]

    def doubles(self, nudge: np.random.Generator | None = None) -> list[torch.Tensor]:
        """The same with float32 in double precision; each number an ulp of float32 up or down if
        there is a ``nudge``."""
        leaves = []
        for t in self.leaves:
            copy = t.detach().double() if t.dtype is torch.float32 else t.detach()
            if nudge is not None and t.dtype is torch.float32:
                signs = nudge.choice((-1.0, 1.0), tuple(t.shape))
                copy = copy * torch.as_tensor(1 + EPS * signs)
            leaves.append(copy.requires_grad_(t.requires_grad))
        return leaves

    def without_gradients(self) -> Arguments:
        """The same call, of which no derivative is wanted."""
        leaves = [t.detach() for t in self.leaves]
        return Arguments(*self.for_torch(leaves))

    def arrays(self) -> list[Array]:
        """The tensors' numbers."""
        return [array_of(t) for t in self.leaves]

    def __str__(self) -> str:
        shown = [
            f"{str(t.dtype).removeprefix('torch.')}{list(t.shape)}"
            f"{'' if t.is_contiguous() else f' strides {t.stride()}'}"
            for t in self.leaves
        ]
        args, kwargs = (
            _filled(self.args, [_Word(s) for s in shown], False),
            _filled(self.kwargs, [_Word(s) for s in shown], False),
        )
        parts = [repr(a) for a in args] + [f"{k}={v!r}" for k, v in kwargs.items()]
        return f"({', '.join(parts)})"


def _says_nothing(name: str, value: Any) -> bool:
    return any(name == known and value is default for known, default in NOTHING)


class _Word(str):
    """Text that is shown without quotes."""

    def __repr__(self) -> str:
        return str(self)


def array_of(tensor: torch.Tensor) -> Array:
    """The numbers of a tensor of PyTorch."""
    plain = tensor.detach().resolve_conj().resolve_neg()
    return np.asarray(plain.float() if plain.dtype is torch.bfloat16 else plain.numpy())


def tensors_in(value: Any) -> list[Any]:
    """Tensors, arrays and numbers in what a function returned, in order."""
    if isinstance(value, Mapping):
        return [t for v in value.values() for t in tensors_in(v)]
    if isinstance(value, list | tuple):
        return [t for v in value for t in tensors_in(v)]
    return [] if value is None else [value]
