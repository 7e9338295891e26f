"""What became of a sample, and when two arrays hold the same numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Verdict(Enum):
    """From best to worst; a sample that went through several ways has the worst of theirs."""

    EQUAL = "equal"
    DESIGN = "by design"
    REFUSED = "refused"
    WRONG = "wrong"
    INTERNAL = "internal"


RANKS = {verdict: rank for rank, verdict in enumerate(Verdict)}


@dataclass(frozen=True)
class Outcome:
    """A verdict, in what way it came about, and what there is to say.

    ``marked``: whether there is a NaN among the values, with which a compiled program answers to
    data that it may not refuse, because it does not look at it.
    """

    verdict: Verdict
    way: str = ""
    detail: str = ""
    marked: bool = False

    def beside(self, eager: Outcome) -> Outcome:
        """The outcome of a program: refused, if eager code refuses the data that it marks."""
        refused = eager.verdict is Verdict.REFUSED and eager.detail.startswith("DataError")
        if refused and self.marked and self.verdict is Verdict.WRONG:
            return replace(self, verdict=Verdict.REFUSED, detail=eager.detail)
        return self


@dataclass(frozen=True)
class Result:
    """One sample of one entry."""

    entry: str
    dtype: str
    number: int
    outcomes: tuple[Outcome, ...]
    sample: str

    @property
    def worst(self) -> Outcome:
        """The outcome that counts."""
        return max(self.outcomes, key=lambda o: RANKS[o.verdict])

    @property
    def verdict(self) -> Verdict:
        """The verdict that counts."""
        return self.worst.verdict

    def record(self) -> dict[str, Any]:
        """As it is written to JSON."""
        return {
            "entry": self.entry,
            "dtype": self.dtype,
            "number": self.number,
            "verdict": self.verdict.value,
            "way": self.worst.way,
            "detail": self.worst.detail,
            "sample": self.sample,
        }


# --------------------------------------------------------------------------------- numbers

EPS = float(np.finfo(np.float32).eps)
#: relative errors that are accepted, in units of the last place
ULPS = 16.0
#: the same for the largest element, which is what sums and products of matrices promise
ULPS_OF_LARGEST = 4.0
#: multiples of PyTorch's own error in single precision, known from its result in double
TIMES_AS_FAR = 8.0
#: multiples of how far the exact result moves if the last digit of each input does
TIMES_AS_MOVED = 4.0
#: what moves by more than this jumps: the inputs lie at a step
JUMP = 1e-3
#: below this, results may be flushed or be denormal
TINY = 2.0 * float(np.finfo(np.float32).tiny)

KINDS = {"b": "bool", "i": "whole", "u": "whole", "f": "real"}


@dataclass(frozen=True)
class Exact:
    """A result in double precision, and how far each element moves with the inputs' last digits.

    No algorithm that rounds can be held to less: its result is, at best, the exact one of inputs
    that were rounded otherwise (Higham 2002, Accuracy and Stability of Numerical Algorithms, 1.5).
    PyTorch's own error is one draw of the same, and small for some elements by luck.
    """

    values: Array
    moved: Array

    @staticmethod
    def of(values: Array, *nudged: Array) -> Exact:
        """That of ``values``, where those of other inputs are ``nudged``."""
        moved = np.zeros(np.shape(values))
        for other in nudged:
            if np.shape(other) == np.shape(values):
                moved = np.maximum(moved, _distance(np.asarray(values), np.asarray(other)))
        return Exact(values, np.where(np.isfinite(moved), moved, 0.0))


def difference(ours: Array, single: Array, double: Exact | None, scale: float = 0.0) -> str:
    """In words, how ``ours`` differs from PyTorch's numbers; empty if it does not.

    ``single`` is PyTorch's result, ``double`` that of the same inputs in double precision. An
    element is right if it lies near either of them. ``scale`` is the size of what went into a sum
    whose terms may cancel.
    """
    ours, single = np.asarray(ours), np.asarray(single)
    if ours.shape != single.shape:
        return f"shape {ours.shape}, PyTorch {single.shape}"
    kinds = [KINDS.get(a.dtype.kind, a.dtype.name) for a in (ours, single)]
    if kinds[0] != kinds[1]:
        return f"{kinds[0]} numbers ({ours.dtype}), PyTorch {kinds[1]} ({single.dtype})"
    if kinds[0] != "real":
        wrong = ours.astype(np.int64) != single.astype(np.int64)
        return _first(wrong, ours, single, double)
    exact = single if double is None else double.values
    moved = np.zeros(ours.shape) if double is None else double.moved
    own_error = _distance(single, exact)
    own_error[~np.isfinite(own_error)] = 0.0
    right = np.zeros(ours.shape, bool)
    for peer in (single, exact):
        size = np.abs(peer.astype(np.float64))
        finite = size[np.isfinite(size)]
        largest = float(finite.max()) if finite.size else 0.0
        allowed = ULPS * EPS * (size + scale) + ULPS_OF_LARGEST * EPS * largest
        rounded = np.where(moved < JUMP * (size + scale + largest), moved, 0.0)
        allowed = allowed + TIMES_AS_FAR * own_error + TIMES_AS_MOVED * rounded + TINY
        right |= _distance(ours, peer) <= np.where(np.isfinite(allowed), allowed, 0.0)
    return _first(~right, ours, single, double)


def _distance(a: Array, b: Array) -> Array:
    """|a - b|; 0 where both are the same infinity, or NaN; inf where only one is."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        far = np.asarray(np.abs(x - y))
    same = (x == y) | (np.isnan(x) & np.isnan(y))
    return np.where(same, 0.0, np.where(np.isnan(far), math.inf, far))


def _first(wrong: Array, ours: Array, single: Array, double: Exact | None) -> str:
    if not wrong.any():
        return ""
    at = tuple(int(i) for i in np.argwhere(wrong)[0])
    exact = "" if double is None else f" (in double precision {double.values[at]!s})"
    return (
        f"{ours[at]!s} instead of {single[at]!s}{exact} at {list(at)}, "
        f"{int(wrong.sum())} of {wrong.size} elements"
    )
