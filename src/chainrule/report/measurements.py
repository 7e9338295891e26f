"""The numbers of a report: the course of training, the best epoch, metrics and worst mistakes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..unverified import items, number, table, text, whole
from .run_files import RunFiles
from .vocabulary import task_of
from .words import METRIC_WORDS, verdict

__all__ = ["best_epoch", "history_of", "metrics_of", "mistakes_of", "seconds_of"]

MISTAKES = 48  # shown at most
#: an image inside the page
PICTURE = re.compile(r"data:image/png;base64,[A-Za-z0-9+/]{1,200000}={0,2}")
NOT_METRICS = ("epoch", "seconds")


def history_of(epochs: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Lists of numbers by name, each as long as ``epoch``; of an epoch written twice, the last."""
    by_epoch = {n: line for line in epochs if (n := whole(line.get("epoch"))) is not None}
    ordered = [by_epoch[n] for n in sorted(by_epoch)]
    names = dict.fromkeys(name for line in ordered for name in line if name not in NOT_METRICS)
    history: dict[str, list[Any]] = {"epoch": sorted(by_epoch)}
    for name in names:
        values = [number(line.get(name)) for line in ordered]
        if any(v is not None for v in values):
            history[name] = values
    return history


def best_epoch(
    facts: Mapping[str, Any], history: Mapping[str, Sequence[Any]]
) -> dict[str, Any] | None:
    """The epoch whose weights are the model, or the best one so far."""
    epochs = history["epoch"]
    monitor = "val_loss" if "val_loss" in history else "loss"
    values = history.get(monitor, ())
    recorded = whole(table(facts.get("best")).get("epoch"))
    if recorded in epochs:
        value = values[list(epochs).index(recorded)] if values else None
        return {"epoch": recorded, "monitor": monitor, "value": value}
    ranked = [(v, e) for v, e in zip(values, epochs, strict=False) if v is not None]
    if not ranked:
        return None
    value, epoch = min(ranked)
    return {"epoch": epoch, "monitor": monitor, "value": value}


def metrics_of(files: RunFiles) -> list[dict[str, Any]]:
    """Each metric on the test part, with those of the baselines and on the validation part."""
    baseline = table(files.facts.get("baseline"))
    validation = table(files.evaluation.get("validation"))
    others, task = table(files.facts.get("baselines")), task_of(files.facts)
    metrics = []
    for name, value in table(files.facts.get("metrics")).items():
        test, guess = number(value), number(baseline.get(name))
        metrics.append(
            {
                "name": name,
                "validation": number(validation.get(name)),
                "test": test,
                "baseline": guess,
                "others": {who: number(table(g).get(name)) for who, g in others.items()},
                "verdict": verdict(name, test, guess, task),
                "words": METRIC_WORDS.get(name, task.metric_words.get(name, "")),
            }
        )
    return metrics


def mistakes_of(files: RunFiles) -> list[dict[str, Any]]:
    """The pictures of wrong predictions, without what is not a picture."""
    mistakes = []
    for mistake in map(table, items(files.evaluation.get("mistakes"))[:MISTAKES]):
        names = {key: text(mistake.get(key)) for key in ("name", "true", "predicted")}
        image, probability = text(mistake.get("image")), number(mistake.get("probability"))
        if PICTURE.fullmatch(image) and probability is not None:
            place = {"example": whole(mistake.get("example"))}
            mistakes.append({**names, **place, "probability": probability, "image": image})
    return mistakes


def seconds_of(
    facts: Mapping[str, Any], epochs: Sequence[Mapping[str, Any]], done: bool
) -> float | None:
    """The time that the whole run took, or until its last known epoch."""
    last = number(epochs[-1].get("seconds")) if epochs else None
    total = number(facts.get("seconds"))
    return total if done or last is None else max(total or 0.0, last)
