"""Why a network predicts the test rows of a table as it does: which columns it needs, what it makes
of them, and which rows it gets wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from ...data import Features, Preprocessor
from ...data.split import shuffled
from ...data.tables.encode import CategoryEncoder, NumberEncoder
from ...phrasing import format_number, quoted
from ...runs.mixture import loss_of
from ...runs.task import Task
from ...train import Scores
from ...train.batch_source import spread_rows

__all__ = ["explained"]

Ask = Callable[[Features], Scores]
Places = tuple[slice, slice]
Cells = Callable[[Sequence[str], npt.NDArray[np.int64]], list[list[str]]]

#: how often columns are shuffled, columns x times at most, and of how many rows there is no choice
REPEATS, MOST_SHUFFLED, LEAST_ROWS = 5, 4_000, 200
#: predictions of a row at most, and products of a weight at most, some seconds of one processor
MOST_PREDICTIONS, MOST_PRODUCTS = 1_000_000, 50_000_000_000
#: rows that are predicted at once
AT_ONCE = 4_096
#: columns in the table, columns that are drawn, values of each, and rows
COLUMNS, DRAWN, VALUES, ROWS = 30, 3, 11, 12
#: columns of the rows that are predicted worst
SHOWN = 6


def explained(
    ask: Ask,
    features: Features,
    truth: npt.NDArray[Any],
    scores: Scores,
    preprocessor: Preprocessor,
    goal: Task,
    rows: npt.NDArray[np.int64],
    cells_of: Cells,
    products: int = 1,
) -> dict[str, Any]:
    """Charts and tables for the report; ``ask`` gives the outputs for encoded rows, ``scores`` are
    those for ``features``, ``rows`` their numbers in the table, and ``cells_of`` reads some columns
    of some rows of the table. A prediction takes so many ``products``: of a large network fewer are
    asked for."""
    places = _places(preprocessor)
    most, repeats = _affordable(len(features), len(places), products)
    tables, charts = [], []
    ranked = list(places)
    if repeats >= 2 and len(places) > 1:
        some = spread_rows(len(features), most)
        seen, known = _chosen(features, some), Scores(scores.outputs[some], scores.link)
        rises = _importance(ask, seen, truth[some], known, places, goal, repeats)
        tables.append(_importance_table(rises, goal, repeats, len(some), len(features)))
        ranked = sorted(rises, key=lambda name: -float(rises[name].mean()))
        drawings = (
            chart
            for name in ranked
            for chart in _dependence(ask, features, seen, preprocessor, places, goal, name)
        )
        charts = list(islice(drawings, DRAWN))
    tables.append(_worst(truth, scores, goal, rows, ranked[:SHOWN], cells_of))
    return {"charts": charts, "tables": tables}


def _affordable(rows: int, columns: int, products: int) -> tuple[int, int]:
    """Of how many rows the columns can be shuffled, and how often."""
    predictions = min(MOST_PREDICTIONS, MOST_PRODUCTS // products)
    repeats = min(REPEATS, MOST_SHUFFLED // max(1, columns))
    shuffled_columns = max(1, columns * repeats)
    some = min(rows, max(LEAST_ROWS, predictions // shuffled_columns))
    return some, min(repeats, predictions // max(1, some * columns))


def _places(preprocessor: Preprocessor) -> dict[str, Places]:
    """Where each column lies among the numbers and the codes."""
    places, number, code = {}, 0, 0
    for encoder in preprocessor.encoders:
        coded = isinstance(encoder, CategoryEncoder) and not encoder.one_hot
        width = 0 if coded else len(encoder.names)
        places[encoder.column] = (slice(number, number + width), slice(code, code + coded))
        number, code = number + width, code + coded
    return places


def _chosen(features: Features, rows: npt.NDArray[np.int32]) -> Features:
    return replace(features, numeric=features.numeric[rows], codes=features.codes[rows])


def _shuffled(features: Features, places: Places, order: npt.NDArray[np.int64]) -> Features:
    numbers, codes = features.numeric.copy(), features.codes.copy()
    numbers[:, places[0]] = features.numeric[order][:, places[0]]
    codes[:, places[1]] = features.codes[order][:, places[1]]
    return replace(features, numeric=numbers, codes=codes)


def _importance(
    ask: Ask,
    features: Features,
    truth: npt.NDArray[Any],
    scores: Scores,
    places: dict[str, Places],
    goal: Task,
    repeats: int,
) -> dict[str, npt.NDArray[np.float64]]:
    """What the loss rises by if a column's cells change places among the rows, each time (Breiman
    2001, "Random forests")."""
    before = loss_of(goal, goal.selected_by, truth, scores)
    orders = [shuffled(len(features), seed) for seed in range(repeats)]
    tried = [(name, order) for name in places for order in orders]
    rises: dict[str, list[float]] = {name: [] for name in places}
    size = max(1, AT_ONCE // len(features))
    for start in range(0, len(tried), size):
        block = tried[start : start + size]
        together = _joined([_shuffled(features, places[name], order) for name, order in block])
        outputs = np.split(ask(together).outputs, len(block))
        for (name, _), own in zip(block, outputs, strict=True):
            loss = loss_of(goal, goal.selected_by, truth, Scores(own, scores.link))
            rises[name].append(loss - before)
    return {name: np.array(values) for name, values in rises.items()}


def _joined(parts: list[Features]) -> Features:
    """All rows of several tables of the same columns: many calls for few rows take long."""
    return replace(
        parts[0],
        numeric=np.concatenate([part.numeric for part in parts]),
        codes=np.concatenate([part.codes for part in parts]),
    )


def _importance_table(
    rises: dict[str, npt.NDArray[np.float64]], goal: Task, repeats: int, some: int, rows: int
) -> dict[str, Any]:
    part = "the test part" if some == rows else f"{some} rows of the test part"
    ranked = sorted(rises, key=lambda name: -float(rises[name].mean()))[:COLUMNS]
    return {
        "title": "What the predictions need",
        "words": f"By how much {goal.selected_by} rises on {part} if the cells of a column "
        f"are shuffled: mean and standard deviation of {repeats} times. Columns that say the same "
        "stand in for one another, and both look unimportant.",
        "heads": ["column", "rise", "spread"],
        "rows": [[n, float(rises[n].mean()), float(rises[n].std(ddof=1))] for n in ranked],
    }


def _answer(goal: Task, scores: Scores) -> npt.NDArray[np.float64] | None:
    """One number for each row: the probability of the second of two classes, or the prediction."""
    if goal.name == "binary":
        return goal.probabilities(scores)[:, 1]
    return None if goal.labels else np.asarray(goal.decode(scores), np.float64)


def _dependence(
    ask: Ask,
    features: Features,
    seen: Features,
    preprocessor: Preprocessor,
    places: dict[str, Places],
    goal: Task,
    name: str,
) -> list[dict[str, Any]]:
    """The mean prediction for the rows ``seen`` if a column of numbers had one value in all of
    them, for quantiles of it (Friedman 2001, "Greedy function approximation")."""
    encoder = next(e for e in preprocessor.encoders if e.column == name)
    if not isinstance(encoder, NumberEncoder) or encoder.read_as != "number":
        return []
    at = places[name][0].start
    shares = np.linspace(0.0, 1.0, VALUES)
    values = np.quantile(features.numeric[:, at], shares)
    means = []
    for value in values:
        numbers = seen.numeric.copy()
        numbers[:, at] = value
        answer = _answer(goal, ask(replace(seen, numeric=numbers)))
        if answer is None:
            return []
        means.append(float(answer.mean()))
    own = [float(values[i]) * encoder.std + encoder.mean for i in (0, VALUES // 2, VALUES - 1)]
    # Of a float32, what is left near zero is rounding.
    low, middle, high = (format_number(v if abs(v) > 1e-6 * encoder.std else 0.0) for v in own)
    what = f"probability of {quoted(str(goal.labels[1]))}" if goal.labels else "prediction"
    return [
        {
            "title": f"What {quoted(name)} does",
            "words": f"The mean {what} if {quoted(name)} were the same everywhere: its lowest "
            f"value in the test part is {low}, its median {middle}, its highest {high}.",
            "below": f"percentile of {name}",
            "x": [round(100 * float(share)) for share in shares],
            "lines": [{"name": f"mean {what}", "values": means}],
        }
    ]


def _worst(
    truth: npt.NDArray[Any],
    scores: Scores,
    goal: Task,
    rows: npt.NDArray[np.int64],
    columns: Sequence[str],
    cells_of: Cells,
) -> dict[str, Any]:
    """The rows that are predicted worst, with the ``columns`` that matter most."""
    predicted = goal.decode(scores)
    if goal.labels:
        codes = truth.astype(np.int64)
        chance = goal.probabilities(scores)[np.arange(len(codes)), codes]
        worst = np.argsort(chance, kind="stable")[:ROWS]
        cells = [
            [int(rows[i]) + 1, str(goal.labels[codes[i]]), str(predicted[i]), float(chance[i])]
            for i in worst
        ]
        heads = ["number", "true", "predicted", "probability of the true class"]
    else:
        errors = np.abs(predicted - truth)
        worst = np.argsort(-errors, kind="stable")[:ROWS]
        cells = [
            [int(rows[i]) + 1, float(truth[i]), float(predicted[i]), float(predicted[i] - truth[i])]
            for i in worst
        ]
        heads = ["number", "true", "predicted", "off by"]
    own = cells_of(columns, rows[worst])
    fewer = f" The {len(columns)} columns that matter most are shown." if columns else ""
    return {
        "title": "Worst predictions",
        "words": f"Of the test part; numbers count from 1 in the table.{fewer}",
        "heads": [*heads, *columns],
        "rows": [[*row, *more] for row, more in zip(cells, own, strict=True)],
        "examples": worst.tolist(),
    }
