"""Loads the engine once a command needs it."""

from __future__ import annotations

from types import ModuleType

__all__ = ["load_engine"]


def load_engine(threads: int | None) -> ModuleType:
    """The `chainrule` package, set to run programs on ``threads`` threads."""
    import chainrule

    if threads is not None:
        chainrule.set_num_threads(threads)
    return chainrule
