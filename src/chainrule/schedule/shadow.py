"""Shadow memory: who stored each element last, to find reads of what nobody stored.

It stands beside the memory of a program, a number for each byte of the arena and each element of
the outputs. Inputs and constants count as stored before the first step, and so do the zeros that a
buffer keeps: the elements that no nest ever stores, if they are as many as the buffer says.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import VerifyError
from .nest import Buffer, Nest, Program

#: element numbers of a buffer
Elements = NDArray[np.int64]


class Shadow:
    """The last buffer that was stored at each place; ``before``: what is there before any step."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.numbers: dict[Buffer, int] = {}
        self.arena = np.zeros(program.arena_bytes, np.int32)
        self.outputs: dict[int, NDArray[np.bool_]] = {}

    def keep(self, buffer: Buffer, stored: NDArray[np.bool_]) -> None:
        """All but the ``stored`` elements of ``buffer`` stay zero."""
        zeros = np.flatnonzero(~stored)
        if zeros.size != buffer.kept:
            raise VerifyError(
                f"{zeros.size} elements of {buffer} are never stored, {buffer.kept} may stay zero"
            )
        self.stored(buffer, zeros)

    def stored(self, buffer: Buffer, elements: Elements) -> None:
        """``elements`` of ``buffer`` have been stored."""
        _check_range(buffer, elements)
        if buffer.kind == "arena":
            self._bytes(buffer)[elements] = self._number(buffer)
        elif buffer.kind == "external" and self._is_output(buffer):
            self._output(buffer)[elements] = True

    def check(self, buffer: Buffer, elements: Elements, nest: Nest) -> None:
        """Raise VerifyError unless all of ``elements`` hold what was stored to ``buffer``."""
        _check_range(buffer, elements)
        missing = elements[~self.holds(buffer, elements)]
        if missing.size:
            raise VerifyError(
                f"nest {nest.name} reads {missing.size} elements of {buffer} that nobody stored, "
                f"the first at {missing[0]}"
            )

    def holds(self, buffer: Buffer, elements: Elements) -> NDArray[np.bool_]:
        """For each of ``elements`` whether it holds what was stored to ``buffer``."""
        if buffer.kind == "arena":
            held: NDArray[np.bool_] = self._bytes(buffer)[elements] == self._number(buffer)
            return held.all(axis=1)
        if buffer.kind == "external" and self._is_output(buffer):
            stored: NDArray[np.bool_] = self._output(buffer)[elements]
            return stored
        return np.ones(elements.shape, np.bool_)

    def check_outputs(self) -> None:
        """Raise VerifyError unless every element of every output has been stored."""
        for slot in range(self.program.inputs, len(self.program.slots)):
            stored = self.outputs.get(slot)
            if stored is None or not stored.all():
                raise VerifyError(f"nobody stores all of {self.program.slots[slot]}")

    def _is_output(self, buffer: Buffer) -> bool:
        return buffer.slot >= self.program.inputs

    def _output(self, buffer: Buffer) -> NDArray[np.bool_]:
        return self.outputs.setdefault(buffer.slot, np.zeros(buffer.size, np.bool_))

    def _number(self, buffer: Buffer) -> int:
        return self.numbers.setdefault(buffer, len(self.numbers) + 1)

    def _bytes(self, buffer: Buffer) -> NDArray[np.int32]:
        """The arena's numbers, a row for each element of ``buffer``."""
        start = self.program.offsets[buffer]
        return self.arena[start : start + buffer.nbytes].reshape(buffer.size, -1)


def _check_range(buffer: Buffer, elements: Elements) -> None:
    if elements.size and not 0 <= elements.min() <= elements.max() < buffer.size:
        raise VerifyError(f"an access leaves {buffer}: {elements.min()} to {elements.max()}")
