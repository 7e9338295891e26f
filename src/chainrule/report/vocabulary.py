"""The words in which a report speaks of a run.

They are in ``run.json``; for a run without them, its kind of data finds them. What else a report
shows follows from the contents of the folder: a confusion matrix, residuals, pictures, columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import StateError
from ..phrasing import counted
from ..runs.modality import Words, judged_part
from ..runs.recognition import words_of
from ..tasks import TASKS, Multiclass, Task
from ..unverified import table, text

__all__ = ["task_of", "vocabulary"]

#: for a run whose kind is not known
PLAIN = Words("example", "examples", "", "", "a model", "DATA", "DATA")


def vocabulary(facts: Mapping[str, Any]) -> Words:
    """The words for a run, from the content of its ``run.json``."""
    try:
        return words_of(facts)
    except StateError:  # a later release, or a damaged file
        return PLAIN


def task_of(facts: Mapping[str, Any]) -> type[Task]:
    """What was learned."""
    return TASKS.get(text(facts.get("task")), Multiclass)


def result(
    facts: Mapping[str, Any],
    metrics: Mapping[str, Any],
    baseline: Mapping[str, Any],
    tested: int | None,
) -> str:
    """What the metrics of the test part mean; empty without any."""
    words, task = vocabulary(facts), task_of(facts)
    judged = judged_part(table(facts.get("split")))
    part = counted(tested, f"{judged} {words.unit}", f"{judged} {words.units}")
    unseen = "that it never saw" if judged == "test" else "that chose the epoch"
    said = task.describe_result(f"On {part} {unseen}", metrics, baseline, tested)
    guesses = {task.guess: baseline, **table(facts.get("baselines"))}
    caution = task.caution(metrics, {name: table(guess) for name, guess in guesses.items()})
    return f"{caution} {said}" if caution else said
