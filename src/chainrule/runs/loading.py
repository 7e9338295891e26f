"""Reading a run folder back. Everything is checked, and nothing in the folder is ever run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict, TypeVar

from ..data import Finding
from ..errors import ConfigError, StateError
from ..nn.init import spared
from ..records import check_shape, file_text, parsed, parsed_sealed, read_sealed, sha256_of
from ..train import History, load
from .fixes import FINDING_SHAPE, read_finding
from .folder import GROUP_FILE, GROUP_KIND, RUN_KIND, is_group, is_run
from .modality import Modality
from .predictor import Predictor
from .recognition import kind_of_run, task_of_run
from .settings.display import differences
from .settings.document import RunSettings
from .settings.sources import from_text, gather

__all__ = [
    "METRICS_SHAPE",
    "SavedRun",
    "check_hash",
    "check_settings_unchanged",
    "load_run",
    "read_facts",
    "read_group_facts",
    "read_history",
    "read_preprocessor",
    "read_results",
    "read_settings",
    "read_text",
]

S = TypeVar("S", bound=RunSettings)
P = TypeVar("P", bound=Predictor[Any, Any, Any])

METRICS_SHAPE = {...: (float, None)}
#: what ``run.json`` must hold, as `records.check_shape` takes it
RUN_SHAPE = {
    "name": str, "status": str, "started": str, "seed": int, "task": str,
    "classes": [(str, bool, float)],
    "data": {"name": str, "target": str, "rows": int, "kind?": str, "fingerprint?": str,
             "path?": str},
    "split": {...: int}, "words?": {...: str}, "model": {"parameters": int},
    "findings": [FINDING_SHAPE],
    "versions": {...: str}, "files?": {...: str}, "settings?": dict, "error?": str,
    "metrics?": METRICS_SHAPE, "baseline?": METRICS_SHAPE, "baselines?": {...: METRICS_SHAPE},
    "epochs?": int, "seconds?": float, "decisions?": {...: float},
    "stopped?": bool, "clock?": {...: float},
    "best?": {"epoch": int, "val_loss": (float, None)},
}  # fmt: skip
MODEL_SHAPE = {"best": dict, "epochs": int, "files": dict, "seconds": float}
#: of a run that is done, which was tested
TESTED_SHAPE = {"metrics": dict, "baseline": dict, "split": {"test": int}, **MODEL_SHAPE}

#: what ``group.json`` must hold; the first ones did not say what was planned
GROUP_SHAPE = {
    "name": str, "status": str, "started": str, "planned?": [str], "seeds?": ([int], None),
    "folds?": (int, None), "members": {...: {"run": str, "metrics": METRICS_SHAPE}},
    "summary": {...: dict.fromkeys(("mean", "std", "min", "max"), (float, None))},
    "files?": {...: str}, "together?": METRICS_SHAPE, "baseline?": METRICS_SHAPE,
    "recipes?": [str], "targets?": [str],
    "limited?": {"ensemble.epochs": {...: int}, "train.time_limit": float},
    "ensemble?": {"weights": {...: float}, "temperature": float, "decisions": {...: float}},
}  # fmt: skip

#: settings and sections that may change after a run began: they change no bit of a training, or
#: only make it longer; that data in another place is the same is known by its fingerprint
MUTABLE_SETTINGS = ("name", "output", "observe", "data.path", "data.test", "data.valid",
              "data.parallel",
              "data.memory", "train.epochs", "train.time_limit")  # fmt: skip

#: what a line of ``metrics.jsonl`` holds besides the history
NOT_HISTORY = ("seconds", "lr")


class SavedRun(TypedDict):
    """What a run folder holds of a training, apart from model and settings."""

    history: History
    metrics: dict[str, float]
    baseline: dict[str, float]
    baselines: dict[str, dict[str, float]]
    findings: list[Finding]
    run: Path
    facts: Mapping[str, Any]


def load_run(kind: Modality[S, P], folder: Path, facts: Mapping[str, Any]) -> P:
    """The predictor of a run on this kind of data, whose ``run.json`` holds ``facts``.

    Raises StateError, naming the file, for an unfinished run, and for a file that was changed, was
    truncated or belongs to another run.
    """
    results = read_results(folder, facts)
    settings = read_settings(kind, folder)
    check_settings_unchanged(facts, settings, folder)
    preprocessor = read_preprocessor(kind, folder)
    goal = kind.goal(preprocessor).with_decisions(facts.get("decisions", {}))
    recorded = (facts["task"], facts["classes"], facts["data"]["target"])
    if (goal.name, list(goal.labels), settings.data.target) != recorded:
        raise StateError(
            "run.json, run.toml and pipeline.json do not belong together",
            where=str(folder),
            help="copy the whole folder again",
        )
    with spared():
        model = kind.build(preprocessor, settings)
    model.load_state_dict(load(folder / "model.safetensors"))
    return kind.predictor(model, preprocessor, settings, goal, **results)


def read_settings(kind: Modality[S, Any], folder: Path) -> S:
    """``run.toml``. StateError if it leaves anything undecided."""
    where = str(folder / "run.toml")
    settings = gather([from_text(read_text(folder, "run.toml"), where)], kind.settings).settings
    if undecided := settings.undecided():
        raise StateError(
            f"the settings of the run are not complete: {', '.join(undecided)}",
            where=where,
            help="the file was changed by hand; copy it again or train again",
        )
    return settings


def read_preprocessor(kind: Modality[Any, Any], folder: Path) -> Any:
    """The preprocessor in ``pipeline.json``. StateError if it cannot be read."""
    file = folder / "pipeline.json"
    return kind.read_preprocessor(read_text(folder, file.name), str(file))


def read_results(folder: Path, facts: Mapping[str, Any]) -> SavedRun:
    """The history, metrics and findings of a run that has a model.

    Raises StateError for an unfinished run, and for files that were changed.
    """
    if facts["status"] not in ("done", "interrupted"):
        failed = facts["status"] == "failed"
        raise StateError(
            f"the run has no model: its status is {facts['status']}",
            where=str(folder),
            help=str(facts.get("error", "")).split("\n")[0]
            if failed
            else "it is still training, or it ended before it could save; train again",
        )
    check_shape(facts, MODEL_SHAPE, str(folder / "run.json"))
    for file in ("model.safetensors", "pipeline.json"):
        check_hash(folder, file, str(facts["files"].get(file, "")))
    if (expected := facts["files"].get("metrics.jsonl")) is not None:
        check_hash(folder, "metrics.jsonl", expected)
    return {
        "history": read_history(folder),
        "metrics": _metrics(facts, "metrics"),
        "baseline": _metrics(facts, "baseline"),
        "baselines": {
            name: _metrics(facts["baselines"], name) for name in facts.get("baselines", {})
        },
        "findings": [read_finding(f, str(folder / "run.json")) for f in facts["findings"]],
        "run": folder,
        "facts": facts,
    }


def read_facts(folder: Path) -> dict[str, Any]:
    """``run.json``, its keys and types checked."""
    if not folder.is_dir():
        raise StateError(f"there is no run folder {folder}", help="check the path")
    if not is_run(folder):
        raise StateError(
            f"{folder} is not a run folder: it has no run.json",
            help="it is a group of runs: give one of the folders in it"
            if is_group(folder)
            else "give a folder that chainrule train wrote",
        )
    where = str(folder / "run.json")
    facts = parsed_sealed(read_text(folder, "run.json"), where, RUN_KIND)
    check_shape(facts, RUN_SHAPE, where)
    try:
        kind, _ = kind_of_run(facts), task_of_run(facts)
    except StateError as error:
        raise StateError(error.what, where=where, help=error.help) from None
    check_shape(facts, kind.facts, where)
    if facts["status"] == "done":
        check_shape(facts, TESTED_SHAPE, where)
    return facts


def read_group_facts(group: Path) -> dict[str, Any]:
    """``group.json``, its keys and types checked. StateError if it cannot be read."""
    try:
        facts = read_sealed(group / GROUP_FILE, GROUP_KIND)
    except FileNotFoundError:
        raise StateError(
            f"this is not a group of runs: it has no {GROUP_FILE}",
            where=str(group),
            help="give a folder that --seeds or --folds made",
        ) from None
    check_shape(facts, GROUP_SHAPE, str(group / GROUP_FILE))
    return facts


def check_settings_unchanged(
    facts: Mapping[str, Any], settings: RunSettings, folder: Path
) -> list[str]:
    """StateError if ``run.toml``, read as ``settings``, is no longer that of the run: it is the
    record of what was trained, and predictions and checkpoints do not follow a change.

    Gives, in words, what was changed of the `MUTABLE_SETTINGS`. Runs of the first release do not
    record their settings.
    """
    if "settings" not in facts:
        return []
    where = str(folder / "run.json")
    try:
        recorded = type(settings).read(facts["settings"])
    except ConfigError as error:
        raise StateError(
            f"`settings` are not those of a run: {error.what}", where=where, help=error.help
        ) from None
    changes = {
        ".".join(key): f"`{'.'.join(key)}` was {before or 'not there'} and is "
        f"{after or 'not there'}"
        for key, (before, after) in differences(recorded, settings).items()
    }
    refused = [
        text for key, text in changes.items()
        if key.partition(".")[0] not in MUTABLE_SETTINGS and key not in MUTABLE_SETTINGS
    ]  # fmt: skip
    if refused:
        file = folder / "run.toml"
        raise StateError(
            f"run.toml was changed after the run began: {', '.join(refused)}",
            where=str(file),
            help=f"undo the change to use the run; to train with other settings: chainrule train "
            f"{file}",
        )
    return list(changes.values())


def read_text(folder: Path, file: str) -> str:
    """The text of a file of a run. StateError if it cannot be read."""
    try:
        return file_text(folder / file)
    except FileNotFoundError:
        raise _missing_file(folder, file) from None


def check_hash(folder: Path, file: str, expected: str) -> None:
    """StateError unless a file is the one that the run wrote."""
    try:
        actual = sha256_of(folder / file)
    except FileNotFoundError:
        raise _missing_file(folder, file) from None
    except OSError as error:
        reason = error.strerror or error
        raise StateError(f"{file} cannot be read: {reason}", where=str(folder / file)) from None
    if actual != expected:
        raise StateError(
            f"{file} is not the one that this run wrote",
            where=str(folder / file),
            help="it was changed, truncated or belongs to another run; copy the folder again",
        )


def _missing_file(folder: Path, file: str) -> StateError:
    return StateError(
        f"the run has no {file}", where=str(folder), help="copy the whole folder again"
    )


def read_history(folder: Path) -> History:
    """The metrics in ``metrics.jsonl``; a truncated last line is left out."""
    history = History()
    if not (folder / "metrics.jsonl").is_file():
        return history
    lines = read_text(folder, "metrics.jsonl").split("\n")
    for number, line in enumerate(lines[:-1], 1):
        try:
            values = parsed(line, "metrics.jsonl", str(folder))
            logs = {k: float("nan") if v is None else float(v) for k, v in values.items()}
            epoch = int(logs.pop("epoch"))
            history.append(epoch - 1, {k: logs[k] for k in logs if k not in NOT_HISTORY})
        except (ValueError, TypeError, KeyError, AttributeError):
            raise StateError(
                "a line of metrics.jsonl was not written by a run",
                where=f"{folder / 'metrics.jsonl'}:{number}",
            ) from None
    return history


def _metrics(facts: Mapping[str, Any], key: str) -> dict[str, float]:
    return {k: float("nan") if v is None else float(v) for k, v in facts.get(key, {}).items()}
