"""What a task says first where a simpler method is better than the model."""

from __future__ import annotations

import math
from typing import Any

import pytest

from chainrule.tasks import TASKS, Binary, Language, Multiclass, Task, Translation

#: a metric by which models are compared, a better and a worse value of it
COMPARED: dict[type[Task], tuple[str, float, float]] = {
    Binary: ("accuracy", 0.8, 0.7),
    Multiclass: ("accuracy", 0.8, 0.7),
    Language: ("bits_per_character", 1.9, 2.3),
    Translation: ("bleu", 12.0, 7.0),
}


@pytest.mark.parametrize("task", COMPARED, ids=lambda task: task.name)
def test_a_better_baseline_comes_first(task: type[Task]) -> None:
    metric, better, worse = COMPARED[task]
    others = {"counting": {metric: better}, "guessing": {metric: worse}}
    assert task.caution({metric: worse}, others).startswith("Worse than ")
    assert "counting" in task.caution({metric: worse}, others)
    assert task.caution({metric: better}, {"guessing": {metric: worse}}) == ""


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
@pytest.mark.parametrize("value", [None, "much", math.nan, [], {}])
def test_unknown_numbers_say_nothing(task: type[Task], value: Any) -> None:
    metric = COMPARED[task][0] if task in COMPARED else task.metrics[0]
    assert task.caution({metric: value}, {"counting": {metric: 0.5}}) == ""
    assert task.caution({metric: 0.4}, {"counting": {metric: value}, "other": value}) == ""
    assert task.caution({}, {}) == ""
