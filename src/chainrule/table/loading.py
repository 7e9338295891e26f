"""A predictor from a run folder. Everything is checked; nothing in the folder is ever run."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict, get_args

from ..arguments import path_of
from ..data import Finding, Pipeline, Task
from ..errors import StateError
from ..train import History, load
from .network import build
from .predictor import Predictor
from .runfolder import GROUP, sha256_of
from .settings import Settings, from_text, gather

__all__ = ["Saved", "load_run", "read_facts", "read_settings", "saved_run", "text_of"]

# What run.json must hold, and of which type.
FACTS: Mapping[str, type | tuple[type, ...]] = {
    "format": str, "version": int, "name": str, "status": str, "started": str, "seed": int,
    "task": str, "classes": list, "data": dict, "split": dict, "model": dict, "findings": list,
    "versions": dict,
}  # fmt: skip
WITH_MODEL: Mapping[str, type | tuple[type, ...]] = {
    "best": dict,
    "epochs": int,
    "files": dict,
    "seconds": (int, float),
}

#: of a line of metrics.jsonl, what is no part of the history
BESIDES = ("seconds", "lr")


class Saved(TypedDict):
    """What a run folder keeps of a training, apart from model and settings."""

    history: History
    metrics: dict[str, float]
    baseline: dict[str, float]
    findings: list[Finding]
    run: Path


def saved_run(folder: Path, facts: Mapping[str, Any]) -> Saved:
    """The history and results of a run with a model, whose files are those that it wrote.

    Raises StateError for an unfinished run, and for files that were changed.
    """
    if facts["status"] not in ("done", "interrupted"):
        failed = facts["status"] == "failed"
        raise StateError(
            f"the run has no model: its status is {facts['status']}",
            where=str(folder),
            help=str(facts.get("error", "")).split("\n")[0]
            if failed
            else "it is still training, or it was ended before it could save; train again",
        )
    _check_types(facts, WITH_MODEL, folder)
    _check_hashes(folder, facts["files"])
    return {
        "history": _history(folder),
        "metrics": _numbers(facts, "metrics", folder),
        "baseline": _numbers(facts, "baseline", folder),
        "findings": [_finding(f, folder) for f in facts["findings"]],
        "run": folder,
    }


def load_run(path: str | os.PathLike[str]) -> Predictor:
    """The predictor of a run folder that ``fit`` or the command line wrote.

    Raises StateError with file and place when the folder is not one, is unfinished, or when a file
    was changed, cut off or belongs to another run.
    """
    folder = path_of(path, "the run folder").expanduser()
    facts = read_facts(folder)
    saved = saved_run(folder, facts)
    settings = read_settings(folder)
    pipeline = Pipeline.from_json(text_of(folder, "pipeline.json"), str(folder / "pipeline.json"))
    target = pipeline.schema.target
    if target is None or target.name != settings.data.target or target.task != facts["task"]:
        raise StateError(
            "pipeline.json and run.toml do not belong together",
            where=str(folder),
            help="copy the whole folder again",
        )
    model = build(pipeline, settings.model)
    model.load_state_dict(load(folder / "model.safetensors"))
    return Predictor(model, pipeline, settings, **saved)


def read_settings(folder: Path) -> Settings:
    """``run.toml``, which leaves nothing to decide."""
    where = str(folder / "run.toml")
    settings = gather([from_text(text_of(folder, "run.toml"), where)]).settings
    if "auto" in (settings.model.layers, settings.model.dropout, settings.train.loss):
        raise StateError(
            "the settings of the run are not complete",
            where=where,
            help="it was changed by hand; copy it again or train again",
        )
    return settings


def read_facts(folder: Path) -> dict[str, Any]:
    """``run.json``, its keys and types checked."""
    if not folder.is_dir():
        raise StateError(f"there is no run folder {folder}", help="check the path")
    if not (folder / "run.json").is_file():
        group = (folder / GROUP).is_file()
        raise StateError(
            f"{folder} is not a run folder: it has no run.json",
            help="it is a group of runs: give one of the folders in it"
            if group
            else "give a folder that chainrule train wrote",
        )
    try:
        facts = json.loads(text_of(folder, "run.json"))
    except json.JSONDecodeError as error:
        raise StateError(
            f"run.json is not JSON: {error.msg}",
            where=f"{folder / 'run.json'}:{error.lineno}",
            help="it was changed or cut off; copy it again",
        ) from None
    if not isinstance(facts, dict) or facts.get("format") != "chainrule.run":
        raise StateError("run.json is not that of a run", where=str(folder / "run.json"))
    if facts.get("version") != 1:
        raise StateError(
            f"version {facts.get('version')!r} of run folders is not known",
            where=str(folder / "run.json"),
            help="it was written by a newer Chainrule; install that one",
        )
    _check_types(facts, FACTS, folder)
    if facts["task"] not in get_args(Task):
        raise StateError(f"the task {facts['task']!r} is not known", where=str(folder / "run.json"))
    return facts


def _check_types(
    facts: Mapping[str, Any], wanted: Mapping[str, type | tuple[type, ...]], folder: Path
) -> None:
    for key, kind in wanted.items():
        if not isinstance(facts.get(key), kind) or isinstance(facts.get(key), bool):
            raise StateError(
                f"`{key}` is missing or of a wrong type",
                where=str(folder / "run.json"),
                help="it was changed by hand; copy it again or train again",
            )


def text_of(folder: Path, file: str) -> str:
    """The text of a file of a run. StateError if it cannot be read."""
    try:
        return (folder / file).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise StateError(
            f"the run has no {file}", where=str(folder), help="copy the whole folder again"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise StateError(f"{file} cannot be read: {error}", where=str(folder)) from None


def _check_hashes(folder: Path, files: Mapping[str, Any]) -> None:
    """The files are those that the run wrote."""
    for file in ("model.safetensors", "pipeline.json"):
        if not (folder / file).is_file():
            raise StateError(
                f"the run has no {file}", where=str(folder), help="copy the whole folder again"
            )
        if sha256_of(folder / file) != files.get(file):
            raise StateError(
                f"{file} is not the one that this run wrote",
                where=str(folder / file),
                help="it was changed, cut off or belongs to another run; copy the folder again",
            )


def _history(folder: Path) -> History:
    """The numbers of ``metrics.jsonl``; a last line that was cut off is left out."""
    history = History()
    if not (folder / "metrics.jsonl").is_file():
        return history
    lines = text_of(folder, "metrics.jsonl").split("\n")
    for number, line in enumerate(lines[:-1], 1):
        try:
            values = json.loads(line)
            logs = {k: float("nan") if v is None else float(v) for k, v in values.items()}
            epoch = int(logs.pop("epoch"))
            history.append(epoch - 1, {k: logs[k] for k in logs if k not in BESIDES})
        except (ValueError, TypeError, KeyError, AttributeError):
            raise StateError(
                "a line of metrics.jsonl is not one of ours",
                where=f"{folder / 'metrics.jsonl'}:{number}",
            ) from None
    return history


def _numbers(facts: Mapping[str, Any], key: str, folder: Path) -> dict[str, float]:
    found = facts.get(key, {})
    if not isinstance(found, dict):
        raise StateError(f"`{key}` is of a wrong type", where=str(folder / "run.json"))
    return {k: float("nan") if v is None else float(v) for k, v in found.items()}


def _finding(value: Any, folder: Path) -> Finding:
    fields = ("code", "severity", "message", "evidence", "fix")
    if not isinstance(value, dict) or not all(isinstance(value.get(f), str) for f in fields):
        raise StateError("a finding is of a wrong type", where=str(folder / "run.json"))
    return Finding(*(value[f] for f in fields))
