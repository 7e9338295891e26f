"""The loss of a sequence of labels without alignment: connectionist temporal classification.

Graves et al., 2006, "Connectionist temporal classification: labelling unsegmented sequence data
with recurrent neural networks". Every way to say the labels counts, with each label in one step or
several in a row, and blanks before, between and after them. With the labels l of a row and blanks
around each, l' = (blank, l_1, blank, ..., l_L, blank), let a[s] be the log-probability of having
come to l'_s:

    a'[s] = log p_t(l'_s) + log(exp a[s] + exp a[s - 1] + exp a[s - 2])

where the last term is there if l'_s is no blank and differs from l'_(s-2). Before the first step
a is 0 at the blank in front and -inf elsewhere.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...errors import DataError, DTypeError, ShapeError
from ...ir.types import DType
from ..apply import tensor_of
from ..loops import scan
from ..modes import thread, user_line
from ..operations import reductions
from ..operations.arithmetic import (
    Operand,
    cast,
    clamp,
    equal,
    exp,
    floating,
    less,
    less_equal,
    log,
    maximum,
    not_equal,
    where,
)
from ..operations.creation import full, iota, zeros
from ..operations.indexing import take
from ..operations.shaping import pad, reshape
from ..storage import Storage
from .losses import check_reduction, reduced

if TYPE_CHECKING:
    from ..tensor import Tensor

NEVER = -math.inf

#: log-probabilities of the states [rows, width], and what is to be added to them [rows, 1]
State = tuple["Tensor", "Tensor"]


class Alignment(NamedTuple):
    """What `ctc_loss` gets, with a batch: scores [steps, rows, classes], the rest by row."""

    scores: Tensor
    targets: Tensor
    inputs: Tensor
    labels: Tensor


def ctc_loss(
    log_probs: Operand,
    targets: Operand,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """-log of the probability of ``targets``, over all alignments.

    ``log_probs`` [steps, batch, classes] are log-probabilities (of `log_softmax`), ``targets``
    [batch, labels] classes other than ``blank``, padded with anything, or all rows joined to one
    where their lengths are known beforehand; ``input_lengths`` and ``target_lengths`` [batch] say
    how much of each row is data. One row may come without its batch axis. "mean" divides each loss
    by the length of its target (at least 1) first, as in PyTorch.

    Labels that no alignment has room for (fewer steps than labels, and one more for each pair of
    equal neighbours) have the loss inf, and 0 with ``zero_infinity``; their gradient is 0 either
    way. That of the others is exact for any scores, also where they are no log-probabilities.

    Raises ShapeError and DTypeError for what does not fit; DataError for a length that is not
    possible and a label that is no class or blank: in a compiled function, where nobody can be
    told, the loss of that row is NaN.
    """
    check_reduction(reduction)
    given = _aligned(log_probs, targets, input_lengths, target_lengths)
    classes = given.scores.shape[2]
    if not 0 <= blank < classes:
        raise DataError(
            f"blank is {blank}, but there are {classes} classes",
            where=user_line(),
            help=f"pass one from 0 to {classes - 1}",
        )
    sound = _sound(given, blank)
    loss = where(sound, -_log_probability(given, blank), math.nan)
    if zero_infinity:
        loss = where(equal(loss, math.inf), 0.0, loss)
    if reduction == "mean":
        loss = loss / cast(clamp(given.labels, min=1), DType.f32)
    single = tensor_of(log_probs).ndim == 2
    return reduced(loss[0] if single else loss, reduction)


def _log_probability(given: Alignment, blank: int) -> Tensor:
    """The log-probability of the targets of each row [rows]."""
    steps, rows, classes = given.scores.shape
    width = 2 * given.targets.shape[1] + 1
    names, skips = _states(given, blank)
    # One gather for all steps: states [steps, rows, width] out of classes.
    flat = reshape(given.scores, (steps, rows * classes))
    places = names + iota((rows, width), 0) * classes
    emitted = reshape(take(flat, reshape(places, (rows * width,)), 1), (steps, rows, width))

    def body(carry: State, row: tuple[Tensor, Tensor]) -> tuple[State, None]:
        (a, scale), (score, t) = carry, row
        two = where(skips, _moved(a, 2), NEVER)
        new = _log_add(a, _moved(a, 1), two) + score
        # Far from 0 a float holds few digits, and the gradient is made of differences: so the
        # likeliest state is kept at 0, and what was taken away is added in the end.
        largest = _largest(new)
        inside = less(t, given.inputs).unsqueeze(1)
        return (where(inside, new - largest, a), where(inside, scale + largest, scale)), None

    position = iota((rows, width), 1)
    start = where(equal(position, 0), 0.0, full((rows, width), NEVER)), zeros(rows, 1)
    (last, scale), _ = scan(body, start, (emitted, iota((steps,), 0)))
    end = 2 * given.labels.unsqueeze(1) - position
    ways = where(less(-1, end) & less(end, 2), last, NEVER)
    added: Tensor = scale[:, 0]
    return _log_sum(ways) + added


def _states(given: Alignment, blank: int) -> tuple[Tensor, Tensor]:
    """The class of each state, and whether it may follow the one before the last; [rows, width].

    States beyond the labels of a row are blanks. They lead to none that counts.
    """
    rows, most = given.targets.shape
    if not most:
        return full((rows, 1), blank), full((rows, 1), False)
    said, wrong = _labels(given, blank)
    labels = where(said & ~wrong, given.targets, blank)
    names = pad(labels, (0, 1), (0, 1), blank, interior=(0, 1))
    before = pad(names[:, :-2], (0, 2), (0, 0), blank)
    return names, not_equal(names, blank) & not_equal(names, before)


def _labels(given: Alignment, blank: int) -> tuple[Tensor, Tensor]:
    """Which of the targets are labels and not padding, and which of these do not exist."""
    said = less(iota(given.targets.shape, 1), given.labels.unsqueeze(1))
    inside = less(-1, given.targets) & less(given.targets, given.scores.shape[2])
    return said, said & ~(inside & not_equal(given.targets, blank))


def _moved(a: Tensor, by: int) -> Tensor:
    """``a`` moved on by some states; those in front were never reached."""
    kept = a.shape[1] - by
    if kept <= 0:
        return full(a.shape, NEVER)
    return pad(a[:, :kept], (0, by), (0, 0), NEVER)


def _log_add(*terms: Tensor) -> Tensor:
    """log sum exp, element by element; -inf, with derivative 0, where all terms are -inf."""
    largest = terms[0].detach()
    for term in terms[1:]:
        largest = maximum(largest, term.detach())
    largest = where(less(NEVER, largest), largest, 0.0)
    total = exp(terms[0] - largest)
    for term in terms[1:]:
        total = total + exp(term - largest)
    none = equal(total, 0.0)
    return where(none, NEVER, log(where(none, 1.0, total)) + largest)


def _log_sum(x: Tensor) -> Tensor:
    """log sum exp along the last axis of x [rows, n], as `_log_add`."""
    largest = _largest(x)
    total = reductions.sum(exp(x - largest), 1)
    none = equal(total, 0.0)
    return where(none, NEVER, log(where(none, 1.0, total)) + largest[:, 0])


def _largest(x: Tensor) -> Tensor:
    """The largest of each row [rows, 1], or 0 if all are -inf; no derivative passes."""
    largest: Tensor = reductions.amax(x.detach(), 1, keepdim=True)
    return where(less(NEVER, largest), largest, 0.0)


# ------------------------------------------------------------------------------------- checks


def _aligned(log_probs: Operand, targets: Operand, inputs: Any, labels: Any) -> Alignment:
    """All four with a batch axis; `ShapeError` or `DTypeError` where they do not fit."""
    scores, said = floating(log_probs), _whole("targets", targets)
    if scores.ndim not in (2, 3):
        raise ShapeError(
            f"log_probs have shape {scores.shape}",
            where=user_line(),
            help="pass [steps, batch, classes], or [steps, classes] of one row",
        )
    if scores.ndim == 2:
        scores = scores.unsqueeze(1)
        said = said.unsqueeze(0) if said.ndim == 1 else said
    rows = scores.shape[1]
    if said.ndim == 1 and (thread.trace is None or not isinstance(labels, Storage)):
        said = _side_by_side(said, labels, rows)
    if said.ndim != 2 or said.shape[0] != rows:
        raise ShapeError(
            f"targets have shape {said.shape}, but there are {rows} rows",
            where=user_line(),
            help="pass [batch, labels]: rows that are shorter are padded, for example with -1, "
            "and target_lengths says how long each is (which adds up to their number, if all are "
            "joined to one row)",
        )
    lengths = [_whole(n, v) for n, v in (("input_lengths", inputs), ("target_lengths", labels))]
    lengths = [n.unsqueeze(0) if n.ndim == 0 else n for n in lengths]
    for name, length in zip(("input_lengths", "target_lengths"), lengths, strict=True):
        if length.shape != (rows,):
            raise ShapeError(
                f"{name} have shape {length.shape}, but there are {rows} rows",
                where=user_line(),
                help="pass one length for each row",
            )
    return Alignment(scores, said, *lengths)


def _side_by_side(joined: Tensor, labels: Any, rows: int) -> Tensor:
    """Targets [rows, most] of targets that are joined to one row, where lengths are known.

    Unchanged if the lengths do not say where each begins.
    """
    lengths = np.asarray(labels.concrete if isinstance(labels, Storage) else labels)
    fits = lengths.shape == (rows,) and lengths.dtype.kind in "iu" and (lengths >= 0).all()
    if not fits or lengths.sum() != joined.shape[0]:
        return joined
    places = np.cumsum(lengths)[:, None] - lengths[:, None] + np.arange(lengths.max())
    return take(joined, np.minimum(places, joined.shape[0] - 1).astype(np.int32), 0)


def _whole(name: str, value: Any) -> Tensor:
    """``value`` as i32; `DTypeError` for real numbers."""
    given = tensor_of(value)
    if given.dtype.is_float or given.dtype is DType.bool:
        if 0 in given.shape:
            return cast(given, DType.i32)  # an empty list says nothing about its dtype
        raise DTypeError(
            f"{name} have dtype {given.dtype!r}", where=user_line(), help="pass whole numbers"
        )
    return cast(given, DType.i32)


def _sound(given: Alignment, blank: int) -> Tensor:
    """Whether all lengths and labels of each row are possible [rows].

    `DataError` for the first that is not, where there are numbers.
    """
    steps, _, classes = given.scores.shape
    most = given.targets.shape[1]
    lengths = (given.inputs, "input_lengths", steps), (given.labels, "target_lengths", most)
    _, wrong = _labels(given, blank)
    if thread.trace is None:
        for length, name, limit in lengths:
            _check(name, length, limit)
        _check_labels(given.targets, wrong, classes, blank)
    sound = ~reductions.any(wrong, 1) if most else equal(given.labels, 0)
    for length, _, limit in lengths:
        sound = sound & less_equal(0, length) & less_equal(length, limit)
    return sound


def _check(name: str, length: Tensor, limit: int) -> None:
    numbers = length.concrete
    wrong = np.flatnonzero((numbers < 0) | (numbers > limit))
    if wrong.size:
        row = int(wrong[0])
        raise DataError(
            f"{name}[{row}] is {numbers[row]}",
            where=user_line(),
            help=f"this batch has room for {limit}: pass lengths from 0 to {limit}",
        )


def _check_labels(targets: Tensor, wrong: Tensor, classes: int, blank: int) -> None:
    places = np.argwhere(wrong.concrete)
    if len(places):
        row, place = (int(i) for i in places[0])
        label = targets.concrete[row, place]
        raise DataError(
            f"label {label} is the blank"
            if label == blank
            else f"label {label} does not exist: there are {classes} classes",
            where=f"targets[{row}, {place}] at {user_line()}",
            help=f"labels are from 0 to {classes - 1}, without the blank ({blank})",
        )
