"""Finds a run by its path, its name, a unique end of its name, what it was called, or ``last``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from ..arguments import user_path
from ..errors import StateError, nearest

__all__ = ["find_run", "list_runs"]

#: a time, what a run was called (``--name``), and four digits that make it unique
FULL_NAME = re.compile(r"\d{8}-\d{6}-(.+)-[0-9a-f]{4}")


def list_runs(runs_dir: Path) -> list[Path]:
    """The run folders of ``runs_dir`` and of the groups in it, oldest first."""
    from ..runs.folder import is_run

    return _oldest_first(filter(is_run, _run_folders(runs_dir)))


def _oldest_first(runs: Iterable[Path]) -> list[Path]:
    return sorted(runs, key=lambda run: (_started(run), run.name))


def _run_folders(runs_dir: Path) -> list[Path]:
    """The folders in ``runs_dir``, and those inside of its groups."""
    if not runs_dir.is_dir():
        return []
    from ..runs.folder import is_group

    folders = [p for p in runs_dir.iterdir() if p.is_dir() and not p.name.startswith(".")]
    groups = filter(is_group, folders)
    return folders + [inner for group in groups for inner in group.iterdir() if inner.is_dir()]


def _started(run: Path) -> str:
    """When the run started, from ``run.json``: its name has whole seconds only."""
    from ..records import file_text, parsed

    try:
        facts = parsed(file_text(run / "run.json"), "run.json", str(run))
    except (OSError, StateError):
        return ""
    return str(facts.get("started", "")) if isinstance(facts, dict) else ""


def find_run(text: str, runs_dir: Path, broken: bool = False, unfinished: bool = False) -> Path:
    """The folder that ``text`` refers to. StateError if there is none, or more than one.

    A group of runs counts as a run; with ``broken``, so does a folder without a ``run.json``.
    ``last`` is the latest run that has a model; with ``unfinished``, the latest run. If that is a
    part of an ensemble, or has one of several targets, it is the group.
    """
    from ..runs.folder import has_weights, is_group, is_one, is_run

    path = user_path(text, "the run")
    if is_run(path) or is_group(path) or path.is_absolute() or (broken and path.is_dir()):
        return path
    if text == "last":
        usable = [r for r in list_runs(runs_dir) if unfinished or has_weights(r)]
        if not usable:
            raise StateError(
                f"no finished run in {runs_dir}",
                help="train one with chainrule train, or give the right folder with --runs-dir",
            )
        # The networks of an ensemble are parts of one predictor.
        group = usable[-1].parent
        return group if is_group(group) and is_one(group) else usable[-1]
    # None is opened for its time, unless there are several of which to name the latest.
    runs = [r for r in _run_folders(runs_dir) if broken or is_run(r) or is_group(r)]
    matches = (
        [r for r in runs if r.name == text]
        or [r for r in runs if r.name.endswith(text)]
        or [r for r in runs if (full := FULL_NAME.fullmatch(r.name)) and full[1] == text]
    )
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise StateError(
            f"{text!r} is ambiguous: {len(matches)} runs have this name, or end with it",
            where=str(runs_dir),
            help=f"pass more of the name: {', '.join(r.name for r in _oldest_first(matches)[-5:])}",
        )
    if path.is_dir():
        raise StateError(
            f"{path} is not a run folder: it has no run.json",
            help="pass a folder written by chainrule train",
        )
    raise StateError(
        f"no run named {text!r}", where=str(runs_dir), help=_hint(text, _oldest_first(runs))
    )


def _hint(text: str, runs: list[Path]) -> str:
    names = [r.name for r in runs]
    if not names:
        return "there are no runs in that folder; give another one with --runs-dir"
    return f"did you mean {nearest(text, names) or names[-1]}? `last` is the most recent run"
