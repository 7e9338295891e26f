"""The files of a run, as far as they can be read. Nothing here raises for a file that is missing,
truncated or malformed: a report of half a run is needed most when something went wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import StateError
from ..records import Kind, changed_files, file_text, parsed, parsed_sealed, parsed_toml
from ..runs.folder import (
    APPENDED_FILES,
    HASHED_FILES,
    RUN_FILES,
    RUN_KIND,
    is_group,
    runs_in,
)
from ..unverified import table

__all__ = ["RunFiles", "read_run_files"]

Table = Mapping[str, Any]


@dataclass(frozen=True)
class RunFiles:
    """The contents of the files of a run; ``troubles`` says which could not be read, and why."""

    path: Path
    facts: Table
    settings: Table
    config: str
    pipeline: Table
    evaluation: Table
    epochs: tuple[Table, ...]
    events: tuple[Table, ...]
    troubles: list[str] = field(default_factory=list)

    @property
    def hashed_files(self) -> list[str]:
        """The files whose hashes are in ``run.json``."""
        return _hashed_files(self.facts)


def _hashed_files(facts: Table) -> list[str]:
    """The files of a run, and no others, whose hashes ``run.json`` has."""
    return [file for file in table(facts.get("files")) if file in HASHED_FILES]


def read_run_files(run: Path, epochs: Sequence[Table] | None = None) -> RunFiles:
    """All files of a run. StateError only if the folder does not exist, or is not a run folder.

    ``epochs`` are the lines of ``metrics.jsonl``, of somebody who follows the run and has them: the
    files that may be large are not read then, and no hashes compared.
    """
    if not run.is_dir():
        raise StateError(f"there is no run folder {run}", help="check the path")
    if is_group(run):
        members = [member.name for member in runs_in(run)]
        raise StateError(
            f"{run} is a group of {len(members)} runs, and a report covers one",
            help="chainrule.report.write_group_report writes that of a group"
            if members
            else "its runs are gone",
        )
    if not any((run / file).exists() for file in RUN_FILES):
        raise StateError(
            f"{run} is not a run folder: nothing in it was written by a training run",
            help="give a folder written by chainrule train",
        )
    troubles: list[str] = []
    config = _text(run / "run.toml", troubles)
    facts = _json(run / "run.json", troubles, RUN_KIND)
    for file in _changed_files(run, facts) if epochs is None else ():
        troubles.append(f"{file} has changed since the run wrote it")
    return RunFiles(
        run,
        facts,
        _toml(config, troubles),
        config,
        _json(run / "pipeline.json", troubles),
        _json(run / "evaluation.json", []),
        tuple(_lines(run / "metrics.jsonl", troubles) if epochs is None else epochs),
        tuple(_lines(run / "events.jsonl", troubles)),
        troubles,
    )


def _text(path: Path, troubles: list[str]) -> str:
    try:
        return file_text(path)
    except FileNotFoundError:
        troubles.append(f"{path.name} is missing")
    except StateError as error:
        troubles.append(error.what)
    return ""


def _json(path: Path, troubles: list[str], kind: Kind | None = None) -> Table:
    """The object in a file. A changed file of a ``kind`` is a trouble, but is still read."""
    count = len(troubles)
    content = _text(path, troubles)
    if len(troubles) > count:
        return {}
    document = _parsed(content)
    if not isinstance(document, dict):
        troubles.append(f"{path.name} is damaged")
        return {}
    if kind is not None:
        try:
            parsed_sealed(content, str(path), kind)
        except StateError as error:
            troubles.append(error.what)
    return document


def _changed_files(run: Path, facts: Table) -> list[str]:
    """The files that differ from their hashes in ``run.json``; missing files are left out."""
    ended = facts.get("status") != "running"
    names = [file for file in _hashed_files(facts) if ended or file not in APPENDED_FILES]
    return changed_files(run, facts["files"], names) if names else []


def _toml(content: str, troubles: list[str]) -> Table:
    try:
        return parsed_toml(content)
    except ValueError:
        troubles.append("run.toml is damaged")
        return {}


def _lines(path: Path, troubles: list[str]) -> Iterator[Table]:
    """The objects of a file of lines; a last line without an end is still being written."""
    *whole_lines, _ = _text(path, troubles).split("\n")
    damaged = 0
    for line in whole_lines:
        value = _parsed(line)
        if isinstance(value, dict):
            yield value
        else:
            damaged += 1
    if damaged:
        troubles.append(f"{damaged} of {len(whole_lines)} lines of {path.name} are damaged")


def _parsed(content: str) -> Any:
    try:
        return parsed(content, "", "")
    except StateError:
        return None
