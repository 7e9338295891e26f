"""What is said of a run and its results, from the facts in ``run.json``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..data import Finding, Setting
from ..phrasing import plain_number
from .modality import judged_part
from .recognition import task_of_run, words_of

__all__ = ["closing", "finding_text", "group_lines", "headline", "result_lines", "result_rows"]


def finding_text(finding: Finding, spell: Callable[[Setting], str] = str) -> str:
    """A finding in one to three lines, marked by its severity; ``spell`` writes its setting."""
    return f"{'!' if finding.severity == 'warning' else '·'} {finding.text(spell)}"


def headline(facts: Mapping[str, Any]) -> str:
    """``heart: 918 rows, 10 columns -> mlp 64-64 -> disease (2 classes), 5,441 parameters``."""
    data, words = facts["data"], words_of(facts)
    classes = facts["classes"]
    goal = f"{len(classes)} classes" if classes else task_of_run(facts).answer
    parts = ", ".join(f"{count} {name}" for name, count in facts["split"].items())
    return (
        f"{data['name']}: {words.source} -> {words.network} -> {data['target']} ({goal}), "
        f"{facts['model']['parameters']} parameters\n{parts}; seed {facts['seed']}"
    )


def closing(facts: Mapping[str, Any]) -> str:
    """How training ended, in one line."""
    best = facts["best"]
    return (
        f"{facts['status']} after {facts['seconds']:.1f} s, best epoch {best['epoch']} of "
        f"{facts['epochs']} (val_loss {plain_number(best['val_loss'])})"
    )


def result_rows(facts: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Metric, value on the test part, value of each baseline; the first row holds the headings."""
    part = judged_part(facts["split"])
    words, count = words_of(facts), facts["split"][part]
    unit = words.unit if count == 1 else words.units
    guesses = {task_of_run(facts).guess: facts["baseline"], **facts.get("baselines", {})}
    rows: list[tuple[str, ...]] = [(f"{count} {part} {unit}", "this model", *guesses)]
    for name, value in facts["metrics"].items():
        others = (plain_number(guess.get(name)) for guess in guesses.values())
        label = task_of_run(facts).metric_label(name, facts.get("classes", ()))
        rows.append((label, plain_number(value), *others))
    return rows


def result_lines(facts: Mapping[str, Any]) -> list[str]:
    """How training ended, and the results as an aligned table; before both, what speaks against
    the model."""
    rows, task = result_rows(facts), task_of_run(facts)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligned = []
    for name, *cells in rows:
        padded = [f"{cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True)]
        aligned.append("  ".join([f"{name:<{widths[0]}}", *padded]))
    guesses = {task.guess: facts["baseline"], **facts.get("baselines", {})}
    caution = task.caution(facts["metrics"], guesses)
    cautions = [caution] if caution else []
    if judged_part(facts["split"]) == "validation":
        units = words_of(facts).units
        cautions.append(
            f"No {units} were held out for a test: those that chose the epoch judge it."
        )
    threshold = facts.get("decisions", {}).get("threshold")
    if threshold is not None:
        label = facts["classes"][1]
        aligned.append(
            f"`{label}` is predicted from a probability of {threshold:.3g} on, which was best on "
            "the validation part"
        )
    return [*cautions, closing(facts), *aligned]


def group_lines(facts: Mapping[str, Any]) -> list[str]:
    """Mean, standard deviation and range of each metric over a group, as an aligned table."""
    rows = [("metric", "mean", "std", "lowest", "highest")]
    for name, s in facts["summary"].items():
        rows.append((name, *(plain_number(s[k]) for k in ("mean", "std", "min", "max"))))
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    lines = [
        f"{row[0]:<{widths[0]}}  "
        + "  ".join(f"{c:>{w}}" for c, w in zip(row[1:], widths[1:], strict=True))
        for row in rows
    ]
    if together := facts.get("together"):
        words = ", ".join(f"{name} {plain_number(value)}" for name, value in together.items())
        lines.append(f"all together: {words}")
    return lines
