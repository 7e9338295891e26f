"""Loading the engine, once a command knows that it needs it."""

from __future__ import annotations

from types import ModuleType

__all__ = ["engine"]


def engine(threads: int | None) -> ModuleType:
    """`chainrule` itself, set to run programs on ``threads`` threads."""
    import chainrule

    if threads is not None:
        chainrule.set_num_threads(threads)
    return chainrule
