"""What the host adds to a step: numbers it computes, and counters it moves on.

A learning rate changes from step to step; if it were a constant of the program, every change would
compile the program anew. So it is an input that the host fills in before each execution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .apply import from_node
from .modes import thread
from .tracer import HostEffect, HostScalar

if TYPE_CHECKING:
    from .tensor import Tensor


def host_scalar(compute: HostScalar) -> Tensor | float:
    """``compute(0)`` now, or inside a trace a 0-d f64 Tensor with that value at each execution.

    ``compute(k)`` is the value for the k-th coming execution, 0 being the next: programs that run
    many steps in one call ask for all of them beforehand.
    """
    if thread.trace is None:
        return float(compute(0))
    return from_node(thread.trace.scalar(compute))


def host_effect(advance: HostEffect) -> None:
    """``advance(1)`` now, or inside a trace ``advance(n)`` after each n executions.

    ``advance`` is one assignment, such as ``self.count += n``: then a Ctrl-C comes before it or
    after it, and every execution is counted once.
    """
    if thread.trace is None:
        advance(1)
    else:
        thread.trace.effects.append(advance)
