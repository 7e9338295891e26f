"""Options of commands offer what tables know: they are written down twice, to load quickly."""

from __future__ import annotations

from typing import get_args

from chainrule.data.tables.schema import Kind
from chainrule.data.tables.target import Task
from chainrule.modalities.tables.options import COLUMN_KINDS, TASKS


def test_the_kinds_of_columns() -> None:
    assert get_args(Kind) == COLUMN_KINDS


def test_the_tasks() -> None:
    assert get_args(Task) == TASKS
