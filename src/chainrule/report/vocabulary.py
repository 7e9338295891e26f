"""What a run calls the things that it is about: the only place of the report that knows kinds of
data and tasks by name.

`vocabulary` chooses the words from ``run.json``; what else a report shows follows from what there
is in the folder: a confusion matrix, residuals, pictures, columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .reading import number, table, text
from .words import counted, interval, listed, percent, shown

__all__ = ["Words", "classification_result", "regression_result", "vocabulary"]

Numbers = Mapping[str, Any]

NOTHING_LEARNED = "By this measure, it learned nothing useful."


@dataclass(frozen=True)
class Task:
    """``baseline`` is the guess that needs no model; ``result`` says in a few sentences what the
    metrics mean, given how the sentence begins, the metrics, the baseline's, and the test rows.
    """

    baseline: str
    result: Callable[[str, Numbers, Numbers, int | None], str]


@dataclass(frozen=True)
class Kind:
    """``unit`` is what is counted. ``new`` and ``labelled`` stand for the user's own data in a
    command. ``model`` describes the network from the part ``model`` of ``run.json``.
    """

    unit: str
    units: str
    new: str
    labelled: str
    model: Callable[[Numbers], str]


@dataclass(frozen=True)
class Words:
    """The words for one run."""

    kind: Kind
    task: Task

    def counted(self, count: object) -> str:
        """``1 image``, ``1,234 images``."""
        return counted(count, self.kind.unit, self.kind.units)

    def result(self, metrics: Numbers, baseline: Numbers, tested: int | None) -> str:
        """What the test metrics say; empty without any."""
        part = counted(tested, f"test {self.kind.unit}", f"test {self.kind.units}")
        start = f"On {part} that it never saw"
        return self.task.result(start, metrics, baseline, tested)


def vocabulary(facts: Mapping[str, Any]) -> Words:
    """The words for a run, from the content of its ``run.json``."""
    kind = KINDS.get(text(table(facts.get("data")).get("kind")), ROWS)
    return Words(kind, TASKS.get(text(facts.get("task")), CLASSIFICATION))


# --------------------------------------------------------------------------- kinds of data


def dense_network(model: Numbers) -> str:
    """``a network with hidden layers of 64 and 64 units``."""
    widths = model.get("layers")
    if not isinstance(widths, list):
        return "a model"
    if not widths:
        return "a linear model"
    kind = "a hidden layer" if len(widths) == 1 else "hidden layers"
    return f"a network with {kind} of {listed([text(w) for w in widths])} units"


def convolutional_network(model: Numbers) -> str:
    """``a convolutional network (resnet, 28 x 28 grey pixels)``."""
    details = ", ".join(known for key in ("name", "images") if (known := text(model.get(key))))
    return "a convolutional network" + (f" ({details})" if details else "")


ROWS = Kind("row", "rows", "new.csv", "labelled.csv", dense_network)

KINDS: Mapping[str, Kind] = {
    "images": Kind("image", "images", "photos", "labelled", convolutional_network),
}


# ---------------------------------------------------------------------------------- tasks


def classification_result(start: str, metrics: Numbers, baseline: Numbers, rows: int | None) -> str:
    """How often the model is right, how sure that is, and how often a constant guess is."""
    value, guess = number(metrics.get("accuracy")), number(baseline.get("accuracy"))
    if value is None:
        return ""
    words = f"{start}, it is right {percent(value)} of the time"
    if rows and 0 <= value <= 1:
        low, high = interval(value, rows)
        words += f" (95% confidence interval {100 * low:.0f} to {100 * high:.0f}%)"
    if guess is None:
        return f"{words}."
    often = f"{percent(guess)} of the time"
    words += f"; always guessing the most frequent class would be right {often}."
    return words if value > guess else f"{words} {NOTHING_LEARNED}"


def regression_result(start: str, metrics: Numbers, baseline: Numbers, rows: int | None) -> str:
    """How far off predictions are, how far off the mean is, and the share of variance explained."""
    error, guess = number(metrics.get("mae")), number(baseline.get("mae"))
    if error is None:
        return ""
    words = f"{start}, its predictions are off by {shown(error)} on average"
    if guess is not None:
        words += f"; always predicting the mean would be off by {shown(guess)}"
    words += "."
    explained = number(metrics.get("r2"))
    if guess is not None and error >= guess:
        return f"{words} {NOTHING_LEARNED}"
    if explained is not None and explained > 0:
        words += f" It explains {percent(explained)} of the variance."
    return words


CLASSIFICATION = Task("constant guess", classification_result)
REGRESSION = Task("predicting the mean", regression_result)

TASKS: Mapping[str, Task] = {"regression": REGRESSION}
