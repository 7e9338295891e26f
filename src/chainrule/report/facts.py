"""What a report says, as one JSON document: the page draws it, and scripts read it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..phrasing import counted, format_number
from ..runs.modality import Words
from ..unverified import items, number, table, text, whole
from .columns import COLUMNS, columns
from .reading import RunFiles, read
from .vocabulary import result, task_of, vocabulary
from .words import duration, verdict

__all__ = ["report_facts"]

MISTAKES = 48  # so many are shown
#: an image inside the page
PICTURE = re.compile(r"data:image/png;base64,[A-Za-z0-9+/]{1,200000}={0,2}")
NOT_METRICS = ("epoch", "seconds")
#: in the words of the page; ``killed`` is not written by the run itself
STATUS_WORDS: Mapping[str, str] = {
    "done": "done: training finished and the model was tested",
    "running": "running: these are the numbers so far",
    "interrupted": "interrupted: the best weights so far were saved, but not tested",
    "failed": "failed: training stopped with an error",
    "killed": "killed: the process ended before it saved a result",
    "damaged": "damaged: the run folder does not say how training ended",
}


def report_facts(run: Path, *, running: bool = False) -> dict[str, Any]:
    """Everything that the report of a run folder says.

    ``running`` tells whether a process is writing the run, which its files cannot. What is missing
    or damaged is left out, and listed in ``troubles``. Raises StateError if ``run`` is no run
    folder.
    """
    files = read(run)
    facts = files.facts
    words = vocabulary(facts)
    status = _status(facts, running)
    done = status == "done"
    metrics = _metrics(files) if done else []
    history = _history(files.epochs)
    # What an earlier end wrote does not hold for a run that went on.
    best = _best(facts if status in ("done", "interrupted") else {}, history)
    return {
        "format": "chainrule.report",
        "version": 1,
        "run": text(facts.get("name")) or run.absolute().name,
        "path": str(run),
        "status": status,
        "status_words": STATUS_WORDS.get(status, status),
        "error": text(facts.get("error")),
        "started": text(facts.get("started")),
        "seconds": _seconds(facts, files.epochs, done),
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
        },
        "data": _data(files, words),
        "split": {name: whole(n) for name, n in table(facts.get("split")).items()},
        "columns": columns(files, words),
        "more_columns": max(0, len(items(files.pipeline.get("columns"))) - COLUMNS),
        "findings": _findings(facts),
        "model": dict(table(facts.get("model"))),
        "metrics": metrics,
        "test": dict(table(files.evaluation.get("test"))) if done else {},
        "mistakes": _mistakes(files) if done else [],
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
    known = text(table(files.facts.get("data")).get("target"))
    return known or text(table(files.settings.get("data")).get("target"))


def _title(files: RunFiles) -> str:
    name = text(table(files.facts.get("data")).get("name")) or text(files.settings.get("name"))
    target = _target(files)
    return f"{name or files.path.absolute().name}{': predicting ' + target if target else ''}"


def _summary(files: RunFiles, words: Words) -> str:
    """What was trained, on what."""
    facts = files.facts
    data, split = table(facts.get("data")), table(facts.get("split"))
    if not data:
        return ""
    goal = task_of(facts).describe_aim(
        _target(files), [text(c) for c in items(facts.get("classes"))]
    )
    shape = table(facts.get("model"))
    parameters = whole(shape.get("parameters"))
    size = f" ({counted(parameters, 'parameter')})" if parameters is not None else ""
    model = words.model
    names = ("train", "validation", "test")
    train, held, test = (counted(split.get(k), words.unit, words.units) for k in names)
    return (
        f"{model[:1].upper()}{model[1:]}{size} was trained on {train} to {goal}. Another {held} "
        f"decided when to stop, and {test} were held out to test the result."
    )


def _result(
    files: RunFiles,
    status: str,
    best: Mapping[str, Any] | None,
    history: Mapping[str, Sequence[float | None]],
) -> str:
    """The result in plain words, or why there is none."""
    facts = files.facts
    if status == "done":
        tested = whole(table(facts.get("split")).get("test"))
        metrics, baseline = table(facts.get("metrics")), table(facts.get("baseline"))
        known = result(facts, metrics, baseline, tested)
        if known:
            return known
    epochs = len(history["epoch"])
    if not epochs:
        return "There is no result: no epoch has finished."
    have = "has" if epochs == 1 else "have"
    sentence = f"There is no test result yet: {counted(epochs, 'epoch')} {have} finished."
    if best and best["value"] is not None:
        value = format_number(best["value"])
        sentence += f" The best {best['monitor']} is {value}, in epoch {best['epoch']}."
    return sentence


def _seconds(
    facts: Mapping[str, Any], epochs: Sequence[Mapping[str, Any]], done: bool
) -> float | None:
    """The time the whole run took, or that up to its last known epoch."""
    last = number(epochs[-1].get("seconds")) if epochs else None
    total = number(facts.get("seconds"))
    return total if done or last is None else max(total or 0.0, last)


# ----------------------------------------------------------------------------------- numbers


def _history(epochs: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Lists of numbers by name, each as long as ``epoch``; of an epoch written twice the last."""
    by_epoch = {n: line for line in epochs if (n := whole(line.get("epoch"))) is not None}
    ordered = [by_epoch[n] for n in sorted(by_epoch)]
    names = dict.fromkeys(name for line in ordered for name in line if name not in NOT_METRICS)
    history: dict[str, list[Any]] = {"epoch": sorted(by_epoch)}
    for name in names:
        values = [number(line.get(name)) for line in ordered]
        if any(v is not None for v in values):
            history[name] = values
    return history


def _best(facts: Mapping[str, Any], history: Mapping[str, Sequence[Any]]) -> dict[str, Any] | None:
    """The epoch whose weights are the model, or the best so far."""
    epochs = history["epoch"]
    monitor = "val_loss" if "val_loss" in history else "loss"
    values = history.get(monitor, ())
    known = whole(table(facts.get("best")).get("epoch"))
    if known in epochs:
        at = list(epochs).index(known)
        value = values[at] if values else None
        return {"epoch": known, "monitor": monitor, "value": value}
    ranked = [(v, e) for v, e in zip(values, epochs, strict=False) if v is not None]
    if not ranked:
        return None
    value, epoch = min(ranked)
    return {"epoch": epoch, "monitor": monitor, "value": value}


def _metrics(files: RunFiles) -> list[dict[str, Any]]:
    """Each metric on the test set, beside the baseline's and that on the validation set."""
    baseline, held = table(files.facts.get("baseline")), table(files.evaluation.get("validation"))
    metrics = []
    for name, value in table(files.facts.get("metrics")).items():
        test, guess = number(value), number(baseline.get(name))
        metrics.append(
            {
                "name": name,
                "validation": number(held.get(name)),
                "test": test,
                "baseline": guess,
                "verdict": verdict(name, test, guess),
            }
        )
    return metrics


def _mistakes(files: RunFiles) -> list[dict[str, Any]]:
    """Pictures of wrong predictions, as far as they are pictures."""
    mistakes = []
    for mistake in map(table, items(files.evaluation.get("mistakes"))[:MISTAKES]):
        names = {key: text(mistake.get(key)) for key in ("name", "true", "predicted")}
        image, probability = text(mistake.get("image")), number(mistake.get("probability"))
        if PICTURE.fullmatch(image) and probability is not None:
            mistakes.append({**names, "probability": probability, "image": image})
    return mistakes


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
    """``fix`` is one text; earlier releases wrote no ``setting`` and no ``advice`` beside it."""
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
    """What happened on the way: resumed, went back, converged, failed."""
    notes = []
    for event in events:
        kind, words = text(event.get("event")), text(event.get("message"))
        if kind == "resume":
            words = f"resumed after epoch {text(event.get('epoch'))}"
        elif kind == "failed":
            words = f"failed: {words.partition(chr(10))[0]}"
        elif kind in ("start", "interrupted", "done"):
            words = {"start": "started"}.get(kind, kind)
        elif kind != "note":
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
    for file in files.vouched:
        known = any(words.startswith(file) for words in troubles)
        if not known and not (files.path / file).is_file():
            troubles.append(f"{file} is missing, so the model cannot be used")
    return troubles


def _commands(files: RunFiles, words: Words, status: str) -> list[dict[str, str]]:
    """What to do next, to paste."""
    run = shlex.quote(str(files.path))
    predict = {"what": f"predict new {words.units}",
               "command": f"chainrule predict {run} {words.new} -o out.csv"}  # fmt: skip
    judge = {"what": f"evaluate the model on labelled {words.units}",
             "command": f"chainrule eval {run} {words.labelled}"}  # fmt: skip
    resume = {"what": "resume training", "command": f"chainrule resume {run}"}
    has_model = (files.path / "model.safetensors").is_file()
    if status == "running":
        return [{"what": "check again later", "command": f"chainrule report {run}"}]
    if status == "done":
        epochs = 2 * (whole(table(files.settings.get("train")).get("epochs")) or 100)
        longer = {"what": "train longer", "command": f"chainrule resume {run} --epochs {epochs}"}
        return [predict, judge, longer] if has_model else []
    commands = [resume] if files.config and files.facts else []
    rate = number(table(files.settings.get("train")).get("lr"))
    if status == "failed" and rate is not None:
        settings = shlex.quote(str(files.path / "run.toml"))
        again = f"chainrule train {settings} train.lr={rate / 10:g}"
        commands.insert(0, {"what": "train again with a lower learning rate", "command": again})
    return [*commands, predict, judge] if status == "interrupted" and has_model else commands


def _environment(facts: Mapping[str, Any]) -> dict[str, str]:
    """Versions, machine and commit, by name."""
    environment = {name: text(v) for name, v in table(facts.get("versions")).items()}
    environment |= {name: text(v) for name, v in table(facts.get("machine")).items()}
    if "git" in facts:
        environment["git"] = text(facts["git"]) or "no commit"
    if spent := duration(facts.get("seconds")):
        environment["time"] = spent
    return environment
