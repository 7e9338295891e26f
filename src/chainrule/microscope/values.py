"""Numbers of a step, and what they are called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

__all__ = ["Label", "Value"]

Label = Callable[[tuple[int, ...]], str]


@dataclass(eq=False)
class Value:
    """A value of the forward pass, and dL/d(value); None where no gradient arrives. ``label`` says
    what the number at an index is called, if the numbers have names."""

    array: npt.NDArray[Any]
    grad: npt.NDArray[Any] | None
    label: Label | None = None

    def name(self, index: tuple[int, ...], otherwise: str) -> str:
        """What the number at ``index`` is called, or ``otherwise``."""
        return (self.label(index) if self.label is not None else "") or otherwise
