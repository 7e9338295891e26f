"""What the checks of a table are given."""

from __future__ import annotations

from dataclasses import dataclass

from ....runs.dry_run import PreparedRun
from ..prepare import OpenedTable, PreparedTable
from ..settings import Settings

__all__ = ["TableRun"]


@dataclass(frozen=True)
class TableRun(PreparedRun[Settings]):
    """A training on a table that has not started."""

    opened: OpenedTable
    prepared: PreparedTable
