"""What several formulas measure: running means, and the sizes of whole arrays."""

from __future__ import annotations

from ..frontend import Tensor
from ..frontend.operations.arithmetic import sqrt

__all__ = ["lerp", "norm", "rms"]


def lerp(start: Tensor, end: Tensor, weight: float) -> Tensor:
    """``(1 - weight) start + weight end``, in the form that is exact at the nearer end."""
    if weight < 0.5:
        return start + weight * (end - start)
    return end - (1 - weight) * (end - start)


def norm(x: Tensor) -> Tensor:
    """√(Σ x²) over all elements."""
    return sqrt((x * x).sum())


def rms(x: Tensor) -> Tensor:
    """√(mean of x²) over all elements."""
    return sqrt((x * x).mean())
