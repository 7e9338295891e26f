"""Loading the engine, once a command knows that it needs it."""

from __future__ import annotations

from types import ModuleType

__all__ = ["table_door"]


def table_door(threads: int | None) -> ModuleType:
    """`chainrule.table`, with compiled functions running natively on ``threads`` threads."""
    from .. import driver as driver  # from here on, what is compiled runs natively
    from .. import table
    from ..runtime.processors import set_num_threads

    if threads is not None:
        set_num_threads(threads)
    return table
