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
    """The predictor of ``run``, or of a group, and the parsed ``options`` of its kind of data.

    Raises UsageError for an option of another kind.
    """
    values = parse_options(command, options)
    load_engine(threads)
    from ..runs.folder import is_group
    from ..runs.group_predictor import load_group, members_of
    from ..runs.loading import load_run, read_facts
    from ..runs.recognition import kind_of_run

    facts = members_of(run)[0][1] if is_group(run) else read_facts(run)
    kind = kind_of_run(facts)
    refuse_foreign_options(kind, command, values)
    return load_group(run) if is_group(run) else load_run(kind, run, facts), values
