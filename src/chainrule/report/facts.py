"""The report as a JSON document, which the page shows and scripts read."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..phrasing import counted, format_number
from ..runs.folder import has_weights
from ..runs.modality import Words, judged_part
from ..unverified import items, number, table, text, whole
from .columns import COLUMNS, columns
from .measurements import best_epoch, history_of, metrics_of, mistakes_of, seconds_of
from .run_files import RunFiles, read_run_files
from .vocabulary import result, task_of, vocabulary
from .words import duration

__all__ = ["report_facts"]

#: each status in words; ``killed`` is never written by the run itself
STATUS_WORDS: Mapping[str, str] = {
    "done": "done: training finished and the model was tested",
    "running": "running: these are the numbers so far",
    "interrupted": "interrupted: the best weights so far were saved, but not tested",
    "failed": "failed: training stopped with an error",
    "killed": "killed: the process ended before it saved a result",
    "damaged": "damaged: the run folder does not say how training ended",
}


def report_facts(
    run: Path, *, running: bool = False, epochs: Sequence[Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """Everything in the report of a run folder.

    ``running``: whether a process is writing the run, which its files cannot tell. ``epochs``: see
    `read_run_files`. What is missing or damaged is left out, and listed in ``troubles``. Raises
    StateError if ``run`` is not a run folder.
    """
    files = read_run_files(run, epochs)
    facts = files.facts
    words = vocabulary(facts)
    status = _status(facts, running)
    done = status == "done"
    metrics = metrics_of(files) if done else []
    history = history_of(files.epochs)
    # What was written at an earlier end does not hold for a run that was resumed.
    best = best_epoch(facts if status in ("done", "interrupted") else {}, history)
    return {
        "format": "chainrule.report",
        "version": 1,
        "run": text(facts.get("name")) or run.absolute().name,
        "path": str(run),
        "status": status,
        "status_words": STATUS_WORDS.get(status, status),
        "error": text(facts.get("error")),
        "started": text(facts.get("started")),
        "seconds": seconds_of(facts, files.epochs, done),
        "seed": whole(facts.get("seed")),
        "title": _title(files),
        "summary": _summary(files, words),
        "result": _result(files, status, best, history),
        "task": text(facts.get("task")),
        "classes": [text(c) for c in items(facts.get("classes"))],
        "words": {
            "unit": words.unit,
            "units": words.units,
            "baseline": task_of(facts).baseline_name,
            "judged": judged_part(table(facts.get("split"))),
        },
        "data": _data(files, words),
        "split": {name: whole(n) for name, n in table(facts.get("split")).items()},
        "columns": columns(files, words),
        "more_columns": max(0, len(items(files.pipeline.get("columns"))) - COLUMNS),
        "findings": _findings(facts),
        "model": dict(table(facts.get("model"))),
        "metrics": metrics,
        "test": _test_of(files) if done else {},
        "mistakes": mistakes_of(files) if done else [],
        "history": history,
        "best": best,
        "notes": _notes(files.events),
        "troubles": _troubles(files, done),
        "commands": _commands(files, words, status),
        "config": files.config,
        "environment": _environment(facts),
    }


def _status(facts: Mapping[str, Any], running: bool) -> str:
    written = text(facts.get("status"))
    if running:
        return "running"
    return "killed" if written == "running" else written or "damaged"


def _target(files: RunFiles) -> str:
    recorded = text(table(files.facts.get("data")).get("target"))
    return recorded or text(table(files.settings.get("data")).get("target"))


def _test_of(files: RunFiles) -> dict[str, Any]:
    """Of the test part, what the task has to show, and then the kind of data."""
    evaluation, test = files.evaluation, dict(table(files.evaluation.get("test")))
    for name in ("charts", "tables"):
        if shown := [*items(test.get(name)), *items(evaluation.get(name))]:
            test[name] = shown
    return test


def _title(files: RunFiles) -> str:
    name = text(table(files.facts.get("data")).get("name")) or text(files.settings.get("name"))
    target = _target(files)
    return f"{name or files.path.absolute().name}{': predicting ' + target if target else ''}"


def _summary(files: RunFiles, words: Words) -> str:
    """What was trained on what, in two sentences."""
    facts = files.facts
    data, split = table(facts.get("data")), table(facts.get("split"))
    if not data:
        return ""
    goal = task_of(facts).describe_aim(
        _target(files), [text(c) for c in items(facts.get("classes"))]
    )
    parameters = whole(table(facts.get("model")).get("parameters"))
    size = f" ({counted(parameters, 'parameter')})" if parameters is not None else ""
    names = ("train", "validation", "test")
    train, validation, test = (counted(split.get(k), words.unit, words.units) for k in names)
    tested = f"and {test} were held out to test the result."
    if judged_part(split) == "validation":
        tested = "and judge the result, too: none were held out for a test."
    return (
        f"{words.model[:1].upper()}{words.model[1:]}{size} was trained on {train} to {goal}. "
        f"Another {validation} decided when to stop, {tested}"
    )


def _result(
    files: RunFiles,
    status: str,
    best: Mapping[str, Any] | None,
    history: Mapping[str, Sequence[float | None]],
) -> str:
    """The result in words, or why there is none."""
    facts = files.facts
    if status == "done":
        split = table(facts.get("split"))
        tested = whole(split.get(judged_part(split)))
        metrics, baseline = table(facts.get("metrics")), table(facts.get("baseline"))
        if sentences := result(facts, metrics, baseline, tested):
            return sentences
    epochs = history["epoch"][-1] if history["epoch"] else 0
    if not epochs:
        return "There is no result: no epoch has finished."
    have = "has" if epochs == 1 else "have"
    sentence = f"There is no test result yet: {counted(epochs, 'epoch')} {have} finished."
    if best and best["value"] is not None:
        value = format_number(best["value"])
        sentence += f" The best {best['monitor']} is {value}, in epoch {best['epoch']}."
    return sentence


# -------------------------------------------------------------------------------------- data


def _data(files: RunFiles, words: Words) -> dict[str, Any]:
    data = table(files.facts.get("data"))
    return {
        "name": text(data.get("name")),
        "path": text(data.get("path")),
        "unit": words.unit,
        "rows": whole(data.get("rows")),
        "columns": whole(data.get("columns")),
        "target": _target(files),
        "fingerprint": text(data.get("fingerprint")),
    }


def _findings(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The findings; earlier releases wrote no ``setting`` and no ``advice`` beside ``fix``."""
    keys = ("code", "severity", "message", "evidence", "fix", "advice")
    return [
        {**{key: text(f.get(key)) for key in keys}, "setting": _setting(table(f.get("setting")))}
        for f in map(table, items(facts.get("findings")))
    ]


def _setting(setting: Mapping[str, Any]) -> dict[str, Any] | None:
    key = text(setting.get("key"))
    return {"key": key, "value": setting.get("value")} if key else None


# ---------------------------------------------------------------------------------- the rest


def _notes(events: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """What happened during training: resumed, rolled back, converged, failed."""
    notes = []
    for event in events:
        kind, words = text(event.get("event")), text(event.get("message"))
        if kind == "resume":
            words = f"resumed after epoch {text(event.get('epoch'))}"
        elif kind == "failed":
            words = f"failed: {words.partition(chr(10))[0]}"
        elif kind in ("start", "interrupted", "done"):
            words = {"start": "started"}.get(kind, kind)
        elif kind not in ("note", "control"):
            continue
        notes.append({"time": text(event.get("time")), "event": kind, "message": words})
    return notes


def _troubles(files: RunFiles, done: bool) -> list[str]:
    """What is missing or damaged, so that the report cannot show it."""
    troubles = list(files.troubles)
    if done and not table(files.evaluation.get("test")):
        troubles.append(
            "evaluation.json is missing or damaged (earlier versions did not write it), so there "
            "are no validation metrics, no confusion matrix and no residuals"
        )
    for file in files.hashed_files:
        reported = any(trouble.startswith(file) for trouble in troubles)
        if not reported and not (files.path / file).is_file():
            troubles.append(f"{file} is missing, so the model cannot be used")
    return troubles


def _commands(files: RunFiles, words: Words, status: str) -> list[dict[str, str]]:
    """What to do next, to paste."""
    run = shlex.quote(str(files.path))
    predict = {"what": f"predict new {words.units}",
               "command": f"chainrule predict {run} {words.new} -o out.csv"}  # fmt: skip
    evaluate = {"what": f"evaluate the model on labelled {words.units}",
             "command": f"chainrule eval {run} {words.labelled}"}  # fmt: skip
    resume = {"what": "resume training", "command": f"chainrule resume {run}"}
    has_model = has_weights(files.path)
    if status == "running":
        return [{"what": "check again later", "command": f"chainrule report {run}"}]
    if status == "done":
        epochs = 2 * (whole(table(files.settings.get("train")).get("epochs")) or 100)
        if files.facts.get("stopped") is True:
            return [predict, evaluate] if has_model else []
        longer = {"what": "train longer", "command": f"chainrule resume {run} --epochs {epochs}"}
        return [predict, evaluate, longer] if has_model else []
    commands = [resume] if files.config and files.facts else []
    rate = number(table(files.settings.get("train")).get("lr"))
    if status == "failed" and rate is not None:
        settings = shlex.quote(str(files.path / "run.toml"))
        again = f"chainrule train {settings} train.lr={rate / 10:g}"
        commands.insert(0, {"what": "train again with a lower learning rate", "command": again})
    return [*commands, predict, evaluate] if status == "interrupted" and has_model else commands


def _environment(facts: Mapping[str, Any]) -> dict[str, str]:
    """Versions, machine and commit, by name."""
    environment = {name: text(v) for name, v in table(facts.get("versions")).items()}
    environment |= {name: text(v) for name, v in table(facts.get("machine")).items()}
    if "git" in facts:
        environment["git"] = text(facts["git"]) or "no commit"
    if spent := duration(facts.get("seconds")):
        environment["time"] = spent
    return environment
