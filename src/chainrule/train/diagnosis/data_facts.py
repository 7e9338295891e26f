"""What a look at some rows says of the data of a training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..batch_source import BatchSource, Rows, peek
from ..criterion import Criterion

__all__ = ["MOST_ROWS", "DataFacts", "InputFacts", "TargetFacts", "facts_of_data", "sample_of"]

Array = npt.NDArray[Any]
#: rows of each part that are looked at
MOST_ROWS = 2048
#: neighbours that are compared to see whether rows are sorted
MOST_NEIGHBOURS = 4096


@dataclass(frozen=True)
class InputFacts:
    """One input array over some training rows. Of its ``features`` (columns of the last axis of a
    table, all values of anything else): how many are ``constant``; the least and the largest
    deviation of the others; the largest offset, as |mean| / deviation; and how far the validation
    rows lie from the training rows: the largest difference of means in deviations, and the largest
    ratio of deviations, either way. ``padding``: the share of a row of tokens that only repeats its
    last value, on average."""

    real: bool
    features: int
    constant: int
    least_deviation: float
    largest_deviation: float
    offset: float
    shift: float
    stretch: float
    padding: float = 0.0


@dataclass(frozen=True)
class TargetFacts:
    """``counts`` are rows of each class; of numbers the rest. ``levels``: how many different
    numbers there are, if they are few and whole, else 0. ``giants``: the largest distance from
    the median in quartile ranges. ``sorted``: how much more alike neighbours are than any two rows,
    from 0 (not at all) to 1; ``shift``: as of inputs."""

    kind: Literal["classes", "numbers", "other"]
    counts: tuple[int, ...] = ()
    levels: int = 0
    mean: float = 0.0
    deviation: float = 0.0
    low: float = 0.0
    high: float = 0.0
    giants: float = 0.0
    sorted: float = 0.0
    shift: float = 0.0


@dataclass(frozen=True)
class DataFacts:
    """``copies``: the share of validation rows that are training rows too; ``twice_told``: the
    strongest |correlation| of a single input with the target; ``split_by_one``: the share of rows
    of two classes that a threshold on a single input tells apart at best."""

    rows: int
    validation_rows: int
    inputs: tuple[InputFacts, ...]
    target: TargetFacts
    copies: float
    twice_told: float
    split_by_one: float


def sample_of(source: BatchSource, rows: Rows) -> tuple[Array, ...]:
    """Some rows as arrays: inputs, then the target, without their weights."""
    read = tuple(np.asarray(array) for array in peek(source, rows))
    return read[:-1] if getattr(source, "weighted", False) else read


def facts_of_data(
    train: BatchSource,
    validation: BatchSource | None,
    samples: Sequence[tuple[Array, ...]],
    criterion: Criterion,
) -> DataFacts:
    """What ``samples`` of the parts say."""
    *inputs, target = samples[0]
    *held, held_target = samples[1] if len(samples) > 1 else ([None] * len(inputs) + [None])
    return DataFacts(
        rows=train.rows,
        validation_rows=validation.rows if validation is not None else 0,
        inputs=tuple(_input(x, h) for x, h in zip(inputs, held, strict=True)),
        target=_target(train, target, held_target, criterion),
        copies=_copies(train, validation),
        twice_told=_strongest(inputs, target),
        split_by_one=_split_by_one(inputs, target),
    )


def _columns(array: Array) -> Array:
    """[rows, features] in float64: those of a table; of anything else one column of all values."""
    flat = array.reshape(len(array), -1) if array.ndim == 2 else array.reshape(-1, 1)
    return flat.astype(np.float64)


def _input(train: Array, held: Array | None) -> InputFacts:
    values = _columns(train)
    mean, deviation = values.mean(0), values.std(0)
    moving = deviation > 1e-12 * np.maximum(np.abs(mean), 1e-30)
    own = deviation[moving]
    shift = stretch = 0.0
    if held is not None and len(held) and moving.any():
        other = _columns(held)
        there = other.std(0)[moving]
        shift = float((np.abs(other.mean(0) - mean)[moving] / own).max())
        ratios = np.maximum(there, 1e-12 * own) / own
        stretch = float(np.maximum(ratios, 1 / ratios).max())
    return InputFacts(
        real=train.dtype.kind == "f",
        features=values.shape[1],
        constant=int((~moving).sum()),
        least_deviation=float(own.min()) if own.size else 0.0,
        largest_deviation=float(own.max()) if own.size else 0.0,
        offset=float((np.abs(mean)[moving] / own).max()) if own.size else 0.0,
        shift=shift,
        stretch=stretch,
        padding=_padding(train),
    )


def _padding(tokens: Array) -> float:
    if tokens.dtype.kind not in "iu" or tokens.ndim != 2 or tokens.shape[1] < 8:
        return 0.0
    last = tokens[:, -1:]
    different = (tokens != last)[:, ::-1]
    lengths = np.where(different.any(1), different.argmax(1), tokens.shape[1])
    return float((np.maximum(lengths - 1, 0) / tokens.shape[1]).mean())


def _target(
    source: BatchSource, target: Array, held: Array | None, criterion: Criterion
) -> TargetFacts:
    if criterion.targets == "classes" and target.dtype.kind in "iu":
        valid = target.ravel()
        valid = valid[valid >= 0]
        counts = np.bincount(valid) if valid.size else np.zeros(1, int)
        return TargetFacts("classes", tuple(map(int, counts)), sorted=_sorted(source, True))
    if target.dtype.kind not in "fiu" or not target.size:
        return TargetFacts("other")
    values = target.astype(np.float64).ravel()
    if criterion.link in ("sigmoid", "probability"):
        ones = int((values > 0.5).sum())
        two = (len(values) - ones, ones)
        return TargetFacts("classes", two, sorted=_sorted(source, True))
    low, middle, high = np.percentile(values, [25, 50, 75])
    spread = float(high - low) or float(values.std()) or 1.0
    deviation = float(values.std())
    shift = 0.0
    if held is not None and held.size and deviation:
        shift = abs(float(held.astype(np.float64).mean()) - float(values.mean())) / deviation
    distinct = np.unique(values)
    whole = bool((distinct == np.round(distinct)).all()) and len(distinct) <= 12
    return TargetFacts(
        "numbers",
        levels=len(distinct) if whole else 0,
        mean=float(values.mean()),
        deviation=deviation,
        low=float(values.min()),
        high=float(values.max()),
        giants=float(np.abs(values - middle).max() / spread),
        sorted=_sorted(source, False),
        shift=shift,
    )


def _sorted(source: BatchSource, classes: bool) -> float:
    rows = np.arange(min(source.rows, MOST_NEIGHBOURS), dtype=np.int32)
    target = sample_of(source, rows)[-1]
    if target.ndim > 1 and target.size != len(target):
        return 0.0
    values = target.reshape(len(target)).astype(np.float64)
    if len(values) < 8 or values.std() == 0:
        return 0.0
    if classes:
        equal = float((values[1:] == values[:-1]).mean())
        shares = np.unique(values, return_counts=True)[1] / len(values)
        chance = float((shares**2).sum())
        return max(0.0, (equal - chance) / (1 - chance)) if chance < 1 else 0.0
    return max(0.0, float(np.corrcoef(values[1:], values[:-1])[0, 1]))


def _digests(source: BatchSource, most: int = 20_000) -> Array:
    """A number for each of the first rows, equal for equal inputs."""
    rows = np.arange(min(source.rows, most), dtype=np.int32)
    *inputs, _ = sample_of(source, rows)
    flat = [np.ascontiguousarray(a.reshape(len(rows), -1)).view(np.uint8) for a in inputs if a.size]
    joined = np.concatenate(flat, axis=1) if flat else np.zeros((len(rows), 1), np.uint8)
    weights = np.random.default_rng(1).integers(1, 1 << 62, joined.shape[1], dtype=np.uint64)
    return np.asarray((joined.astype(np.uint64) * weights).sum(axis=1, dtype=np.uint64))


def _small(source: BatchSource) -> bool:
    """Whether many rows of it may be read at once."""
    return source.bytes_per_row <= 1 << 14


def _copies(train: BatchSource, validation: BatchSource | None) -> float:
    if validation is None or not _small(train):
        return 0.0
    return float(np.isin(_digests(validation), _digests(train)).mean())


def _strongest(inputs: Sequence[Array], target: Array) -> float:
    if target.size != len(target) or len(target) < 8:
        return 0.0
    truth = target.reshape(len(target)).astype(np.float64)
    found = 0.0
    for array in inputs:
        if array.ndim != 2 or truth.std() == 0:
            continue
        values = array.astype(np.float64)
        deviation = values.std(0)
        moving = deviation > 0
        if moving.any():
            centred = (values - values.mean(0))[:, moving] / deviation[moving]
            standard = (truth - truth.mean()) / truth.std()
            found = max(found, float(np.abs(centred.T @ standard).max() / len(truth)))
    return found


def _split_by_one(inputs: Sequence[Array], target: Array) -> float:
    if target.size != len(target) or len(target) < 32:
        return 0.0
    values = target.reshape(len(target)).astype(np.float64)
    if set(np.unique(values)) != {0.0, 1.0}:
        return 0.0
    best = 0.0
    for array in inputs:
        if array.ndim != 2 or array.dtype.kind != "f":
            continue
        for column in array.T:
            best = max(best, _threshold(column, values))
    return best


def _threshold(column: Array, truth: Array) -> float:
    """The share of rows that are right for the best threshold on a column, either way round."""
    order = np.argsort(column, kind="stable")
    sorted_column, ones = column[order], np.cumsum(truth[order])
    count = np.arange(1, len(column) + 1)
    right = (count - ones) + (ones[-1] - ones)  # zeros below, ones above
    ends = np.append(sorted_column[1:] != sorted_column[:-1], True)
    shares = right[ends] / len(column)
    return float(max(shares.max(), 1.0 - shares.min()))
