"""Loads the predictor of a run, with the options for the data it is given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .engine import load_engine
from .kind_options import parse_options, refuse_foreign_options

__all__ = ["load_predictor"]


def load_predictor(
    command: str, run: Path, threads: int | None, options: Mapping[str, Any]
) -> tuple[Any, dict[str, Any]]:
    """The predictor of ``run``, and the parsed ``options`` of its kind of data.

    Raises UsageError for an option of another kind.
    """
    chainrule = load_engine(threads)
    values = parse_options(command, options)
    predictor = chainrule.load_run(run)
    from ..runs.loading import read_facts
    from ..runs.recognition import kind_of_run

    refuse_foreign_options(kind_of_run(read_facts(run)), command, values)
    return predictor, values
