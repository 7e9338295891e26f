"""Shadow memory: who stored each element last, to find reads of what nobody stored.

It stands beside the memory of a program, a number for each byte of the arena and each element of
the outputs. Inputs and constants count as stored before the first step, and so do the zeros that a
buffer keeps: the elements that no nest ever stores, if they are as many as the buffer says.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import VerifyError
from .buffers import Buffer, Trip
from .nest import Nest, Program

Mask = NDArray[np.bool_]
#: a row for each element of a buffer
Cells = NDArray[np.int16] | NDArray[np.int64]


@dataclass(frozen=True)
class Elements:
    """Some elements of a buffer: the ``chosen`` (None: all) of ``size`` from ``first`` on."""

    first: int
    size: int
    chosen: Mask | None = None

    @staticmethod
    def listed(numbers: NDArray[np.int64]) -> Elements:
        """The elements with these numbers."""
        if not numbers.size:
            return Elements(0, 0)
        first, last = int(numbers.min()), int(numbers.max())
        chosen = np.zeros(last - first + 1, np.bool_)
        chosen[numbers - first] = True
        return Elements(first, chosen.size, chosen)

    @property
    def count(self) -> int:
        """How many they are."""
        return self.size if self.chosen is None else int(np.count_nonzero(self.chosen))

    def shifted(self, by: int) -> Elements:
        """The elements that lie ``by`` further on."""
        return Elements(self.first + by, self.size, self.chosen) if by else self

    def of(self, cells: NDArray[Any]) -> NDArray[Any]:
        """What ``cells`` hold for these elements, in rising order."""
        window = cells[self.first : self.first + self.size]
        return window if self.chosen is None else window[self.chosen]

    def put(self, cells: NDArray[Any], value: Any) -> None:
        """Let ``cells`` hold ``value`` for these elements."""
        window = cells[self.first : self.first + self.size]
        window[... if self.chosen is None else self.chosen] = value

    def number(self, position: int) -> int:
        """Which element stands at ``position`` of what `of` gives."""
        if self.chosen is None:
            return self.first + position
        return self.first + int(np.flatnonzero(self.chosen)[position])


class Marks:
    """A number for each byte of a program's arena, and for each element of arrays outside of it."""

    def __init__(self, program: Program) -> None:
        self._offsets = program.offsets
        self._arena = np.zeros(program.arena_bytes, np.int16)
        self._outside: dict[Buffer, NDArray[np.int16]] = {}

    def has(self, buffer: Buffer) -> bool:
        """Whether anything can be marked there by now."""
        return buffer.kind == "arena" or buffer in self._outside

    def of(self, buffer: Buffer) -> Cells:
        """A row of numbers for each element of ``buffer``; four bytes are one cell of 64 bits."""
        if buffer.kind != "arena":
            if buffer not in self._outside:
                self._outside[buffer] = np.zeros((buffer.size, 1), np.int16)
            return self._outside[buffer]
        start = self._offsets[buffer]
        own = self._arena[start : start + buffer.nbytes]
        return (own if buffer.dtype.itemsize % 4 else own.view(np.int64)).reshape(buffer.size, -1)


class Shadow:
    """Which buffer was stored last at each place."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._numbers: dict[Buffer, int] = {}
        self._marks = Marks(program)
        self._outputs: dict[int, Buffer] = {}
        #: of the loops around what is looked at, by which windows find their place
        self.trips: tuple[Trip, ...] = ()

    def place(self, buffer: Buffer, elements: Elements) -> tuple[Buffer, Elements]:
        """The same elements as those of the buffer in which a window lies."""
        return buffer.root, elements.shifted(buffer.shift(self.trips))

    def keep(self, buffer: Buffer, stored: Mask) -> None:
        """All but the ``stored`` elements of ``buffer`` stay zero."""
        zeros = int(np.count_nonzero(~stored))
        if zeros != buffer.kept:
            raise VerifyError(
                f"{zeros} elements of {buffer} are never stored, {buffer.kept} may stay zero"
            )
        self.stored(buffer, Elements(0, buffer.size, ~stored))

    def stored(self, buffer: Buffer, elements: Elements) -> None:
        """``elements`` of ``buffer`` have been stored."""
        buffer, elements = self.place(buffer, elements)
        check_range(buffer, elements)
        cells = self._cells(buffer)
        if cells is not None:
            elements.put(cells, self._number(buffer, cells))

    def holds(self, buffer: Buffer, elements: Elements) -> Mask:
        """For each of ``elements`` whether it holds what was stored to ``buffer``."""
        buffer, elements = self.place(buffer, elements)
        check_range(buffer, elements)
        cells = self._cells(buffer)
        if cells is None:
            return np.ones(1, np.bool_)
        held: Mask = np.asarray(elements.of(cells) == self._number(buffer, cells))
        return every(held)

    def check(self, buffer: Buffer, elements: Elements, nest: Nest) -> None:
        """Raise VerifyError unless all of ``elements`` hold what was stored to ``buffer``."""
        refuse_missing(self.holds(buffer, elements), buffer, elements, nest)

    def check_outputs(self, slots: Iterable[int]) -> None:
        """Raise VerifyError unless every element of the outputs in ``slots`` has been stored."""
        for slot in slots:
            output = self._outputs.get(slot)
            if output is None or not self._marks.of(output).all():
                raise VerifyError(f"nobody stores all of {self._program.slots[slot]}")

    def _number(self, buffer: Buffer, cells: Cells) -> int:
        return filled(self._numbers.setdefault(buffer, len(self._numbers) + 1), cells)

    def _cells(self, buffer: Buffer) -> Cells | None:
        """A row of numbers for each element of ``buffer``; None if it is given from outside."""
        if buffer.kind == "const" or (
            buffer.kind == "external" and buffer.slot < self._program.inputs
        ):
            return None
        if buffer.kind == "external":
            self._outputs[buffer.slot] = buffer
        return self._marks.of(buffer)


def every(cells: Mask) -> Mask:
    """For each element whether this is true of all its cells; nearly always there is one."""
    result: Mask = cells[:, 0] if cells.shape[1] == 1 else np.all(cells, axis=1)
    return result


def filled(number: int, cells: Cells) -> int:
    """``number`` as often as a cell has room for it."""
    return number * (0x1_0001_0001_0001 if cells.itemsize == 8 else 1)


def refuse_missing(held: Mask, buffer: Buffer, elements: Elements, nest: Nest) -> None:
    """Raise VerifyError, with the first of ``elements`` that is not ``held``, if there is one."""
    if not held.all():
        missing = np.flatnonzero(~held)
        raise VerifyError(
            f"nest {nest.name} reads {missing.size} elements of {buffer} that nobody stored, "
            f"the first at {elements.number(int(missing[0]))}"
        )


def check_range(buffer: Buffer, elements: Elements) -> None:
    """Raise VerifyError unless all of ``elements`` lie inside of ``buffer``."""
    last = elements.first + elements.size - 1
    if elements.size and not 0 <= elements.first <= last < buffer.size:
        raise VerifyError(f"an access leaves {buffer}: {elements.first} to {last}")
