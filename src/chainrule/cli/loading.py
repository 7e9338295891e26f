"""A run's predictor, and the options with which it reads data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .engine import engine
from .kind_options import for_kind, read_options

__all__ = ["loaded"]


def loaded(
    command: str, run: Path, threads: int | None, options: Mapping[str, Any]
) -> tuple[Any, dict[str, Any]]:
    """The predictor of ``run``, and the ``options`` of its kind of data. Raises UsageError for
    those of another kind."""
    chainrule = engine(threads)
    given = read_options(command, options)
    predictor = chainrule.load_run(run)
    from ..runs.loading import read_facts
    from ..runs.recognition import kind_of_run

    return predictor, for_kind(kind_of_run(read_facts(run)), command, given)
