"""Milestones: phases after which outputs are complete, for those who wait for them meanwhile.

Outputs are awaited in groups, in a fixed order. A group is complete after the last phase that
stores anything in it, or in a group before it: so milestones are passed in the order of groups.
"""

from __future__ import annotations

from collections.abc import Sequence

from .nest import Milestone, Phases

__all__ = ["milestones"]


def milestones(
    phases: Phases, inputs: int, awaited: Sequence[Sequence[int]]
) -> tuple[Milestone, ...]:
    """One for each group of outputs in ``awaited``, by position; slots begin with ``inputs``."""
    last: dict[int, int] = {}
    for number, phase in enumerate(phases):
        for task in phase:
            roots = [access.buffer.root for access in task.nest.writes]
            last.update({root.slot: number for root in roots if root.kind == "external"})
    found, reached = [], 0
    for group in awaited:
        slots = tuple(inputs + position for position in group)
        reached = max([reached, *(last.get(slot, 0) for slot in slots)])
        found.append(Milestone(reached, slots))
    return tuple(found)
