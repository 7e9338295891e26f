"""Memory for the temporaries of programs: arenas that notice bad writes."""

from __future__ import annotations

import numpy as np

from ..errors import VerifyError
from ..ir.memory import ALIGNMENT, address, aligned_empty

__all__ = ["Arena"]

PAGE = 4096
_LARGE = 64 * 1024
_CANARY = 0xA5
_GUARD = 256


class Arena:
    """The temporaries of one program: ``nbytes`` at ``address``, page-aligned when large.

    The first ``kept`` bytes are zero before the first step and are left alone between steps.
    ``guarded`` is for finding defects of the memory plan: `poison` fills the arena with NaN, so
    that a value read before it is written shows, and `check` finds writes past either end. ``view``
    is the arena as bytes.
    """

    def __init__(self, nbytes: int, guarded: bool = False, kept: int = 0) -> None:
        self.nbytes, self.kept = nbytes, kept
        self.guarded = guarded
        guard = _GUARD if guarded else 0
        # A whole page in front keeps the alignment that the arena has without guards.
        front = PAGE if guarded else 0
        size = front + nbytes + guard
        alignment = PAGE if size >= _LARGE else ALIGNMENT
        self._memory = aligned_empty((size,), np.uint8, alignment=alignment)
        self.view = self._memory[front : front + nbytes]
        self._edges = (self._memory[front - guard : front], self._memory[front + nbytes :])
        self.address: int = address(self._memory) + front
        self.view[:kept].fill(0)
        if guarded:
            for edge in self._edges:
                edge.fill(_CANARY)
            self.poison()

    def poison(self) -> None:
        """Fill the arena with quiet NaN (as f32; as f64 and as integers the bits are odd too)."""
        free = self.view[self.kept :]
        words = len(free) // 4
        free[: words * 4].view(np.uint32).fill(0x7FF8_7FF8)
        free[words * 4 :].fill(_CANARY)

    def check(self) -> None:
        """Raise `VerifyError` if anything was written outside the arena."""
        for edge, side in zip(self._edges, ("before the start", "past the end"), strict=True):
            if self.guarded and not (edge == _CANARY).all():
                raise VerifyError(
                    f"a program wrote {side} of its arena of {self.nbytes} bytes",
                    help="this is a bug in the memory plan or a kernel; please report it",
                )
