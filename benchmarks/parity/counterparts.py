"""Which of our functions belongs to an entry of PyTorch's tables of operators."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import chainrule as cr
import chainrule.nn.functional as F
from benchmarks.parity.compare import UnknownArgumentError
from chainrule.frontend.operations import products

Function = Callable[..., Any]


@dataclass(frozen=True)
class Way:
    """A call of ours, and the one of PyTorch's that it must agree with."""

    name: str
    ours: Function
    theirs: Function
    #: whether the first argument is overwritten
    inplace: bool = False
    #: whether it is another form of the entry, which need not take every sample of it
    method: bool = False


def _real(made: Any, dtype: str | None) -> Any:
    """A new tensor as real numbers; ours do not take ``dtype``."""
    if dtype is None:
        return made
    if dtype != "float32":
        raise UnknownArgumentError(f"dtype {dtype}")
    return made.float()


#: functions whose arguments stand in another order in the table than in the function
REORDERED: dict[str, Function] = {
    "where": lambda x, condition, other: cr.where(condition, x, other),
    "embedding": lambda weight, indices, **kwargs: F.embedding(indices, weight, **kwargs),
    "embedding_bag": lambda weight, indices, **kwargs: F.embedding_bag(indices, weight, **kwargs),
}
#: entries that we have under another name
RENAMED: dict[str, Function] = {
    "clamp_min": lambda x, min: cr.clamp(x, min=min),
    "clamp_max": lambda x, max: cr.clamp(x, max=max),
    "true_divide": lambda x, other: x / other,
    "__rdiv__": lambda x, other: other / x,
    "mm": cr.matmul,
    "bmm": cr.matmul,
    "mv": cr.matmul,
    "dot": cr.matmul,
    "outer": products.outer,
    "broadcast_to": lambda x, shape: x.expand(shape),
    "bitwise_not": lambda x: ~x,
    "bitwise_and": lambda x, other: x & other,
    "bitwise_or": lambda x, other: x | other,
    "bitwise_xor": lambda x, other: x ^ other,
    "reshape_as": lambda x, other: x.view_as(other),
    "ravel": lambda x: x.flatten(),
    "fill": lambda x, value: cr.full_like(x, value),
    "split_with_sizes": lambda x, split_sizes, dim=0: x.split(split_sizes, dim),
    "eye": lambda n, m=None, dtype="float32": _real(cr.eye(n, m), dtype),
    "arange": lambda start, end=None, step=1, dtype=None: _real(cr.arange(start, end, step), dtype),
    "linspace": lambda start, end, steps, dtype="float32": _real(
        cr.linspace(start, end, steps), dtype
    ),
    "positive": lambda x: x.clone(),
    "linalg.vector_norm": lambda x, ord=2.0, dim=None, keepdim=False: x.norm(ord, dim, keepdim),
    "nn.functional.upsample_nearest": lambda x, size: F.interpolate(x, size),
    "nn.functional.upsample_bilinear": lambda x, size: F.interpolate(
        x, size, mode="bilinear", align_corners=True
    ),
}
#: properties in both
PROPERTIES = ("T", "mT")
#: numbers that are drawn: only shape and kind can agree
RANDOM = frozenset({"randn", *(n for n in F.__all__ if "dropout" in n)})
#: called like ours, but something else: Tensor.type and the like
UNRELATED = frozenset({"type"})


def ways(op: Any) -> list[Way]:
    """Every way in which Chainrule computes what ``op``, of PyTorch's table, does."""
    found: list[Way] = []
    short = op.name.removeprefix("nn.functional.")
    extra = op.op.keywords if isinstance(op.op, functools.partial) else {}
    if op.name in RENAMED:
        found.append(Way(op.name, RENAMED[op.name], op.op))
    elif short in UNRELATED:
        return []
    elif op.name in PROPERTIES:
        found.append(Way(f"Tensor.{short}", lambda x: getattr(x, short), op.op))
    else:
        for home, where in _homes(op.name, short):
            ours = REORDERED.get(short) if where != "Tensor" else None
            ours = ours or getattr(home, short)
            if any(ours is w.ours for w in found):
                continue
            found.append(Way(f"{where}.{short}", functools.partial(ours, **extra), op.op))
    return found + _methods(op, short) if found else []


def _methods(op: Any, short: str) -> list[Way]:
    """In place, and as an operator of Python."""
    found: list[Way] = []
    method = vars(cr.Tensor).get(f"{short}_")
    if op.inplace_variant is not None and method is not None:
        mine, theirs = _on_copy(method), _on_copy(op.inplace_variant)
        found.append(Way(f"Tensor.{short}_", mine, theirs, inplace=True, method=True))
    if op.operator_variant is not None:
        operator = op.operator_variant
        found.append(Way(f"operator {short}", operator, operator, method=True))
    if op.inplace_operator_variant is not None:
        operator = _on_copy(op.inplace_operator_variant)
        found.append(Way(f"operator {short}=", operator, operator, inplace=True, method=True))
    return found


def _on_copy(method: Function) -> Function:
    @functools.wraps(method)
    def on_copy(x: Any, *args: Any, **kwargs: Any) -> Any:
        return method(x.clone(), *args, **kwargs)

    return on_copy


def _homes(name: str, short: str) -> list[tuple[Any, str]]:
    """Where we have something of that name."""
    if name.startswith("nn.functional."):
        return [(F, "F")] if short in F.__all__ else []
    if "." in name:
        return []
    homes: list[tuple[Any, str]] = [(cr, "cr"), (cr.Tensor, "Tensor"), (F, "F")]
    known = (
        short in cr.__all__,
        short in vars(cr.Tensor),
        short in F.__all__,
    )
    return [home for home, there in zip(homes, known, strict=True) if there]
