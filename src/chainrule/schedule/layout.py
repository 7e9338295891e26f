"""How a graph's inputs lie in the caller's memory. Loads nothing else of the schedule."""

from __future__ import annotations

from dataclasses import dataclass

from ..ir.graph import Node


@dataclass(frozen=True)
class InputLayout:
    """How the graph's inputs and outputs lie in the caller's memory.

    ``stepped``: positions of inputs of which each step takes the next row; ``unaligned``: positions
    of inputs that need not start at a multiple of 64 bytes; ``awaited``: groups of outputs that
    somebody uses while the step goes on, as soon as they are complete, in this order.
    """

    stepped: frozenset[int] = frozenset()
    unaligned: frozenset[int] = frozenset()
    awaited: tuple[tuple[int, ...], ...] = ()

    def step_stride(self, position: int, node: Node) -> int:
        """Elements from one step's value of an input to the next; 0 if all steps share it."""
        moves = node.params["kind"] == "scalar" or position in self.stepped
        return node.size if moves else 0

    def is_aligned(self, position: int, node: Node) -> bool:
        """Whether code may rely on an input to start at a multiple of 64 bytes in every step."""
        return position not in self.unaligned and not self.step_stride(position, node)
