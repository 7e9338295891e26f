"""A predictor from a run folder. Everything is checked; nothing in the folder is ever run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict, TypeVar

from ..data import Finding
from ..errors import ConfigError, StateError
from ..records import check_shape, file_text, parsed, parsed_sealed, read_sealed, sha256_of
from ..train import History, load
from .fixes import FINDING, finding_of
from .folder import GROUP, RUN, SEVERAL
from .modality import Modality
from .predictor import Predictor
from .recognition import kind_of_run, task_of_run
from .settings.display import differences
from .settings.document import RunSettings
from .settings.sources import from_text, gather

__all__ = [
    "NUMBERS",
    "Saved",
    "check_hash",
    "check_settings",
    "group_facts",
    "load_run",
    "read_facts",
    "read_preprocessor",
    "read_settings",
    "saved_run",
    "text_of",
]

S = TypeVar("S", bound=RunSettings)
P = TypeVar("P", bound=Predictor[Any, Any, Any])

NUMBERS = {...: (float, None)}
#: what run.json must hold, and of which type
FACTS = {
    "name": str, "status": str, "started": str, "seed": int, "task": str,
    "classes": [(str, bool, float)],
    "data": {"name": str, "target": str, "rows": int, "kind?": str, "fingerprint?": str,
             "path?": str},
    "split": {...: int}, "words?": {...: str}, "model": {"parameters": int},
    "findings": [FINDING],
    "versions": {...: str}, "files?": {...: str}, "settings?": dict, "error?": str,
    "metrics?": NUMBERS, "baseline?": NUMBERS, "epochs?": int, "seconds?": float, "stopped?": bool,
    "best?": {"epoch": int, "val_loss": (float, None)},
}  # fmt: skip
WITH_MODEL = {"best": dict, "epochs": int, "files": dict, "seconds": float}
#: a run that is done was tested
TESTED = {"metrics": dict, "baseline": dict, "split": {"test": int}, **WITH_MODEL}

#: of a group of runs; the first ones did not say what was planned
TOGETHER = {
    "name": str, "status": str, "started": str, "planned?": [str], "seeds?": ([int], None),
    "folds?": (int, None), "members": {...: {"run": str, "metrics": NUMBERS}},
    "summary": {...: dict.fromkeys(("mean", "std", "min", "max"), (float, None))},
    "files?": {...: str},
}  # fmt: skip

#: settings and sections that no bit of a training depends on, or that only make it longer; that
#: data at another place is the same is known by its fingerprint
MAY_CHANGE = ("name", "output", "data.path", "data.test", "data.memory", "train.epochs",
              "train.time_limit")  # fmt: skip

#: of a line of metrics.jsonl, what is no part of the history
BESIDES = ("seconds", "lr")


class Saved(TypedDict):
    """What a run folder keeps of a training, apart from model and settings."""

    history: History
    metrics: dict[str, float]
    baseline: dict[str, float]
    findings: list[Finding]
    run: Path


def load_run(kind: Modality[S, P], folder: Path, facts: Mapping[str, Any]) -> P:
    """The predictor of a run on this kind of data, whose ``run.json`` holds ``facts``.

    Raises StateError with file and place when it is unfinished, or when a file was changed, cut off
    or belongs to another run.
    """
    saved = saved_run(folder, facts)
    settings = read_settings(kind, folder)
    check_settings(facts, settings, folder)
    preprocessor = read_preprocessor(kind, folder)
    goal = kind.goal(preprocessor)
    known = (facts["task"], facts["classes"], facts["data"]["target"])
    if (goal.name, list(goal.labels), settings.data.target) != known:
        raise StateError(
            "run.json, run.toml and pipeline.json do not belong together",
            where=str(folder),
            help="copy the whole folder again",
        )
    model = kind.build(preprocessor, settings)
    model.load_state_dict(load(folder / "model.safetensors"))
    return kind.predictor(model, preprocessor, settings, goal, **saved)


def read_settings(kind: Modality[S, Any], folder: Path) -> S:
    """``run.toml``, which leaves nothing to decide. StateError if it does."""
    where = str(folder / "run.toml")
    settings = gather([from_text(text_of(folder, "run.toml"), where)], kind.settings).settings
    if open_settings := settings.undecided():
        raise StateError(
            f"the settings of the run are not complete: {', '.join(open_settings)}",
            where=where,
            help="the file was changed by hand; copy it again or train again",
        )
    return settings


def read_preprocessor(kind: Modality[Any, Any], folder: Path) -> Any:
    """What ``pipeline.json`` holds. StateError if it cannot be read."""
    file = folder / "pipeline.json"
    return kind.read_preprocessor(text_of(folder, file.name), str(file))


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
    check_shape(facts, WITH_MODEL, str(folder / "run.json"))
    for file in ("model.safetensors", "pipeline.json"):
        check_hash(folder, file, str(facts["files"].get(file, "")))
    if (wanted := facts["files"].get("metrics.jsonl")) is not None:
        check_hash(folder, "metrics.jsonl", wanted)
    return {
        "history": _history(folder),
        "metrics": _numbers(facts, "metrics"),
        "baseline": _numbers(facts, "baseline"),
        "findings": [finding_of(f, str(folder / "run.json")) for f in facts["findings"]],
        "run": folder,
    }


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
    where = str(folder / "run.json")
    facts = parsed_sealed(text_of(folder, "run.json"), where, RUN)
    check_shape(facts, FACTS, where)
    try:
        kind, _ = kind_of_run(facts), task_of_run(facts)
    except StateError as error:
        raise StateError(error.what, where=where, help=error.help) from None
    check_shape(facts, kind.facts, where)
    if facts["status"] == "done":
        check_shape(facts, TESTED, where)
    return facts


def group_facts(group: Path) -> dict[str, Any]:
    """``group.json``, its keys and types checked. StateError if it cannot be read."""
    try:
        facts = read_sealed(group / GROUP, SEVERAL)
    except FileNotFoundError:
        raise StateError(
            f"this is no group of runs: it has no {GROUP}",
            where=str(group),
            help="give a folder that --seeds or --folds made",
        ) from None
    check_shape(facts, TOGETHER, str(group / GROUP))
    return facts


def check_settings(facts: Mapping[str, Any], settings: RunSettings, folder: Path) -> list[str]:
    """StateError if ``run.toml``, whose ``settings`` these are, is not that of the run any more:
    it is the record of what was trained, and neither predictions nor a checkpoint follow it.

    Gives, in words, what was changed of what may be. Runs of the first release do not say what
    their settings were.
    """
    if "settings" not in facts:
        return []
    where = str(folder / "run.json")
    try:
        began = type(settings).read(facts["settings"])
    except ConfigError as error:
        raise StateError(
            f"`settings` are not those of a run: {error.what}", where=where, help=error.help
        ) from None
    changed = {
        ".".join(key): f"`{'.'.join(key)}` was {before or 'not there'} and is "
        f"{after or 'not there'}"
        for key, (before, after) in differences(began, settings).items()
    }
    refused = [
        words for key, words in changed.items()
        if key.partition(".")[0] not in MAY_CHANGE and key not in MAY_CHANGE
    ]  # fmt: skip
    if refused:
        file = folder / "run.toml"
        raise StateError(
            f"run.toml was changed after the run began: {', '.join(refused)}",
            where=str(file),
            help=f"undo the change to use the run; to train with other settings: chainrule train "
            f"{file}",
        )
    return list(changed.values())


def text_of(folder: Path, file: str) -> str:
    """The text of a file of a run. StateError if it cannot be read."""
    try:
        return file_text(folder / file)
    except FileNotFoundError:
        raise _lost(folder, file) from None


def check_hash(folder: Path, file: str, wanted: str) -> None:
    """StateError unless a file is the one that the run wrote."""
    try:
        found = sha256_of(folder / file)
    except FileNotFoundError:
        raise _lost(folder, file) from None
    except OSError as error:
        reason = error.strerror or error
        raise StateError(f"{file} cannot be read: {reason}", where=str(folder / file)) from None
    if found != wanted:
        raise StateError(
            f"{file} is not the one that this run wrote",
            where=str(folder / file),
            help="it was changed, cut off or belongs to another run; copy the folder again",
        )


def _lost(folder: Path, file: str) -> StateError:
    return StateError(
        f"the run has no {file}", where=str(folder), help="copy the whole folder again"
    )


def _history(folder: Path) -> History:
    """The numbers of ``metrics.jsonl``; a last line that was cut off is left out."""
    history = History()
    if not (folder / "metrics.jsonl").is_file():
        return history
    lines = text_of(folder, "metrics.jsonl").split("\n")
    for number, line in enumerate(lines[:-1], 1):
        try:
            values = parsed(line, "metrics.jsonl", str(folder))
            logs = {k: float("nan") if v is None else float(v) for k, v in values.items()}
            epoch = int(logs.pop("epoch"))
            history.append(epoch - 1, {k: logs[k] for k in logs if k not in BESIDES})
        except (ValueError, TypeError, KeyError, AttributeError):
            raise StateError(
                "a line of metrics.jsonl is not one of ours",
                where=f"{folder / 'metrics.jsonl'}:{number}",
            ) from None
    return history


def _numbers(facts: Mapping[str, Any], key: str) -> dict[str, float]:
    return {k: float("nan") if v is None else float(v) for k, v in facts.get(key, {}).items()}
