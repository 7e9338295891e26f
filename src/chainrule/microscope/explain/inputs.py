"""The inputs of a step by their names: columns, categories, tokens."""

from __future__ import annotations

import numpy as np

from ..shown import Part, Table
from ..walk import Step

__all__ = ["inputs_of"]

ROWS = 24


def inputs_of(step: Step) -> Part:
    """What the network gets of the first row, and what the loss sends back there; of many numbers
    those with the largest gradient."""
    rows = []
    for number, value in enumerate(step.inputs):
        first = value.array[:1]
        for index in map(tuple, np.argwhere(np.ones(first.shape, bool))):
            place = tuple(map(int, index))
            if value.label is not None and not value.label(place):
                continue  # padding
            which = f"input {number}" if len(step.inputs) > 1 else "input"
            grad = None if value.grad is None else float(value.grad[place])
            number_there = value.array[place].item()
            rows.append((value.name(place, f"{which}{list(place[1:])}"), number_there, grad))
    strongest = sorted(range(len(rows)), key=lambda i: -abs(rows[i][2] or 0.0))[:ROWS]
    shown = tuple(rows[i] for i in sorted(strongest))
    several = step.inputs[0].array.shape[0] > 1
    words = "as the network gets them" + "; of the first row" * several
    if len(rows) > ROWS:
        words += f"; {ROWS} of {len(rows):,}"
        words += ", by gradient" if any(grad for _, _, grad in rows) else ""
    return Table("The inputs", ("input", "value", "dL/dx"), shown, words)
