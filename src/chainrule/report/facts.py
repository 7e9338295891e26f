"""What a report says, as one JSON document: the page draws it, and scripts read it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .reading import RunFiles, items, number, read, table, text, whole
from .words import (
    counted,
    duration,
    listed,
    model_words,
    percent,
    quoted,
    result_words,
    shown,
    verdict,
)

__all__ = ["report_facts"]

CATEGORIES = 12  # so many are named
COLUMNS = 500  # so many are listed
MISTAKES = 48  # so many are shown
#: an image inside the page
PICTURE = re.compile(r"data:image/png;base64,[A-Za-z0-9+/]{1,200000}={0,2}")
NOT_METRICS = ("epoch", "seconds")
#: in the words of the page; ``killed`` is not written by the run itself
STATUS_WORDS: Mapping[str, str] = {
    "done": "done: training ended by itself, and the model was tested",
    "running": "running: these are the numbers so far",
    "interrupted": "interrupted: the best weights so far are kept, but were not tested",
    "failed": "failed: training ended with an error",
    "killed": "killed: it ended without saving its result",
    "damaged": "damaged: the folder does not say how it ended",
}


def report_facts(run: Path, *, running: bool = False) -> dict[str, Any]:
    """Everything that the report of a run folder says.

    ``running`` tells whether a process is writing the run, which its files cannot. What is missing
    or damaged is left out, and listed in ``troubles``. Raises StateError if ``run`` is no run
    folder.
    """
    files = read(run)
    facts = files.facts
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
        "summary": _summary(files),
        "result": _result(files, status, best, history),
        "task": text(facts.get("task")),
        "classes": [text(c) for c in items(facts.get("classes"))],
        "data": _data(files),
        "split": {name: whole(n) for name, n in table(facts.get("split")).items()},
        "columns": _columns(files),
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
        "commands": _commands(files, status),
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


def _summary(files: RunFiles) -> str:
    """What was trained, on what."""
    facts = files.facts
    data, split = table(facts.get("data")), table(facts.get("split"))
    if not data:
        return ""
    classes = [quoted(c) for c in items(facts.get("classes"))]
    target = quoted(_target(files))
    goal = f"tell whether {target} is {listed(classes, 'or')}" if classes else f"predict {target}"
    parameters = whole(table(facts.get("model")).get("parameters"))
    size = f" ({counted(parameters, 'parameter')})" if parameters is not None else ""
    shape = table(facts.get("model"))
    model = model_words(shape.get("layers"))
    if name := text(shape.get("name")):
        model = f"a convolutional network ({name}, {text(shape.get('images'))})"
    train, held, test = (counted(split.get(k), "row") for k in ("train", "validation", "test"))
    return (
        f"{model[:1].upper()}{model[1:]}{size} learned from {train} to {goal}. Another {held} "
        f"decided when to stop, and {test} were kept apart to judge the result."
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
        rows = whole(table(facts.get("split")).get("test"))
        words = result_words(
            text(facts.get("task")),
            table(facts.get("metrics")),
            table(facts.get("baseline")),
            rows,
            _unit(files),
        )
        if words:
            return words
    epochs = len(history["epoch"])
    if not epochs:
        return "There is no result: no epoch was finished."
    words = f"There is no test result yet: {counted(epochs, 'epoch')} {_are(epochs)} done."
    if best and best["value"] is not None:
        words += f" The best {best['monitor']} is {shown(best['value'])}, in epoch {best['epoch']}."
    return words


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _seconds(
    facts: Mapping[str, Any], epochs: Sequence[Mapping[str, Any]], done: bool
) -> float | None:
    """Of the whole run, or up to the last epoch that is known."""
    last = number(epochs[-1].get("seconds")) if epochs else None
    total = number(facts.get("seconds"))
    return total if done or last is None else max(total or 0.0, last)


# ----------------------------------------------------------------------------------- numbers


def _history(epochs: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The numbers by name, each as long as ``epoch``; those of an epoch said twice are the last."""
    by_epoch = {n: line for line in epochs if (n := whole(line.get("epoch"))) is not None}
    ordered = [by_epoch[n] for n in sorted(by_epoch)]
    names = dict.fromkeys(name for line in ordered for name in line if name not in NOT_METRICS)
    found: dict[str, list[Any]] = {"epoch": sorted(by_epoch)}
    for name in names:
        values = [number(line.get(name)) for line in ordered]
        if any(v is not None for v in values):
            found[name] = values
    return found


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
    """Each metric of the test rows, beside those of a constant guess and of the validation rows."""
    baseline, held = table(files.facts.get("baseline")), table(files.evaluation.get("validation"))
    found = []
    for name, value in table(files.facts.get("metrics")).items():
        test, guess = number(value), number(baseline.get(name))
        found.append(
            {
                "name": name,
                "validation": number(held.get(name)),
                "test": test,
                "baseline": guess,
                "verdict": verdict(name, test, guess),
            }
        )
    return found


def _mistakes(files: RunFiles) -> list[dict[str, Any]]:
    """Images that were taken for something else, as far as they are images."""
    found = []
    for mistake in map(table, items(files.evaluation.get("mistakes"))[:MISTAKES]):
        words = {key: text(mistake.get(key)) for key in ("name", "true", "predicted")}
        image, probability = text(mistake.get("image")), number(mistake.get("probability"))
        if PICTURE.fullmatch(image) and probability is not None:
            found.append({**words, "probability": probability, "image": image})
    return found


# -------------------------------------------------------------------------------------- data


def _unit(files: RunFiles) -> str:
    """What is learned from: rows of a table, or images."""
    return "image" if table(files.facts.get("data")).get("kind") == "images" else "row"


def _data(files: RunFiles) -> dict[str, Any]:
    data = table(files.facts.get("data"))
    return {
        "name": text(data.get("name")),
        "path": text(data.get("path")),
        "unit": _unit(files),
        "rows": whole(data.get("rows")),
        "columns": whole(data.get("columns")),
        "target": _target(files),
        "fingerprint": text(data.get("fingerprint")),
    }


def _columns(files: RunFiles) -> list[dict[str, Any]]:
    """Every column of the schema, with what became of it."""
    encoders: dict[str, Mapping[str, Any]] = {
        text(e.get("column")): e for e in map(table, items(files.pipeline.get("encoders")))
    }
    missing = table(files.evaluation.get("missing"))
    as_missing = table(files.pipeline.get("missing"))
    found = []
    for column in map(table, items(files.pipeline.get("columns"))[:COLUMNS]):
        name = text(column.get("name"))
        encoder = encoders.get(name)
        found.append(
            {
                "name": name,
                "kind": text(column.get("kind")) if encoder else "ignored",
                "treatment": _treatment(encoder) if encoder else "left out",
                "missing": whole(missing.get(name)),
                "counted_as_missing": [text(v) for v in items(as_missing.get(name))],
            }
        )
    return found


def _treatment(encoder: Mapping[str, Any]) -> str:
    """How the values of a column become inputs, in words."""
    kind = encoder.get("type")
    if kind == "category":
        names = [text(c) if c is not None else "missing" for c in items(encoder.get("categories"))]
        how = "one input each" if encoder.get("one_hot") else "as an embedding"
        shown_names = f": {listed(names, most=CATEGORIES)}" if names else ""
        rare = len(items(encoder.get("known_rare")))
        rest = f"; {counted(rare, 'rare one')} together" if rare else ""
        return f"{counted(len(names), 'category', 'categories')}, {how}{shown_names}{rest}"
    if encoder.get("read_as") == "truth" and (mean := number(encoder.get("mean"))) is not None:
        return f"true in {percent(mean)} of the rows{_gaps(encoder)}"
    spread = f"mean {shown(encoder.get('mean'))}, std {shown(encoder.get('std'))}"
    if kind == "datetime":
        parts = [text(p) for p in items(encoder.get("parts"))]
        return f"as {listed(parts)}" if parts else "as a time"
    return f"{spread}{_gaps(encoder)}"


def _gaps(encoder: Mapping[str, Any]) -> str:
    if not encoder.get("indicator"):
        return ""
    return f"; gaps count as {shown(encoder.get('fill'))}, and an input of their own marks them"


def _findings(facts: Mapping[str, Any]) -> list[dict[str, str]]:
    keys = ("code", "severity", "message", "evidence", "fix")
    return [
        {key: text(f.get(key)) for key in keys} for f in map(table, items(facts.get("findings")))
    ]


# ---------------------------------------------------------------------------------- the rest


def _notes(events: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """What happened on the way: resumed, went back, converged, failed."""
    found = []
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
        found.append({"time": text(event.get("time")), "event": kind, "message": words})
    return found


def _troubles(files: RunFiles, done: bool) -> list[str]:
    """What the report had to do without."""
    found = list(files.troubles)
    if done and not table(files.evaluation.get("test")):
        found.append(
            "evaluation.json is missing or damaged, as in runs of earlier versions: without it "
            "there are no validation metrics, no confusion matrix and no residuals"
        )
    for file in files.vouched:
        known = any(words.startswith(file) for words in found)
        if not known and not (files.path / file).is_file():
            found.append(f"{file} is gone, so the model cannot be used")
    return found


def _commands(files: RunFiles, status: str) -> list[dict[str, str]]:
    """What to do next, to paste."""
    run = shlex.quote(str(files.path))
    images = _unit(files) == "image"
    what, new, known = ("images", "photos", "labelled") if images else (
        "rows", "new.csv", "labelled.csv")  # fmt: skip
    predict = {"what": f"predict new {what}",
               "command": f"chainrule predict {run} {new} -o out.csv"}  # fmt: skip
    judge = {"what": f"judge it on {what} with known answers",
             "command": f"chainrule eval {run} {known}"}  # fmt: skip
    resume = {"what": "go on where it stopped", "command": f"chainrule resume {run}"}
    has_model = (files.path / "model.safetensors").is_file()
    if status == "running":
        return [{"what": "look again later", "command": f"chainrule report {run}"}]
    if status == "done":
        epochs = 2 * (whole(table(files.settings.get("train")).get("epochs")) or 100)
        longer = {"what": "train longer", "command": f"chainrule resume {run} --epochs {epochs}"}
        return [predict, judge, longer] if has_model else []
    found = [resume] if files.config and files.facts else []
    rate = number(table(files.settings.get("train")).get("lr"))
    if status == "failed" and rate is not None:
        settings = shlex.quote(str(files.path / "run.toml"))
        again = f"chainrule train {settings} train.lr={rate / 10:g}"
        found.insert(0, {"what": "train again with a lower learning rate", "command": again})
    return [*found, predict, judge] if status == "interrupted" and has_model else found


def _environment(facts: Mapping[str, Any]) -> dict[str, str]:
    """Versions, machine and commit, by name."""
    found = {name: text(v) for name, v in table(facts.get("versions")).items()}
    found |= {name: text(v) for name, v in table(facts.get("machine")).items()}
    if "git" in facts:
        found["git"] = text(facts["git"]) or "no commit"
    if spent := duration(facts.get("seconds")):
        found["time"] = spent
    return found
