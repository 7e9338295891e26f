"""From the scores of a language model to the next token, and to a text: on the host, with NumPy.

``step(tokens, state)`` is a model, compiled or not: for the next tokens i32 [rows, 1] and what it
keeps of those before it gives scores [rows, vocabulary] and the new state, nested Tensors or arrays
that are not changed. Random numbers are counted, so one seed makes one text, everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import DataError, ShapeError
from ..frontend.functional.activations import setting
from ..frontend.functional.windows import whole
from ..frontend.modes import user_line
from ..frontend.random import Generator, default_generator, rand
from ..ir.types import Array, is_whole
from .module import as_tensor

__all__ = ["generate", "sample"]

Step = Callable[[Any, Any], tuple[Any, Any]]

#: tokens of each row for which numbers are drawn at once
BLOCK = 64


def sample(
    logits: Any,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    repetition_penalty: float = 1.0,
    previous: Sequence[Sequence[int]] | Array | None = None,
    generator: Generator | None = None,
) -> Array:
    """A token for each row of logits [rows, vocabulary], drawn from softmax(logits / temperature).

    Before that, in this order: the logits of tokens among ``previous`` (those of the row) are
    divided by ``repetition_penalty`` if above 0, else multiplied with it (Keskar et al., 2019); of
    the likeliest tokens ``top_k`` are left (Fan et al., 2018); of these the fewest whose
    probabilities add up to ``top_p`` (Holtzman et al., 2020). A temperature of 0 takes the
    likeliest, of equal ones the first. Takes one count of ``generator``.

    `ConfigError` for settings out of range, `DataError` for logits that are NaN, or say nothing.
    """
    scores = scores_of(logits)
    _check(temperature, top_k, top_p, repetition_penalty)
    uniform = rand(len(scores), generator=generator or default_generator).numpy()
    return _chosen(scores, uniform, temperature, top_k, top_p, repetition_penalty, previous)


def _chosen(
    scores: Array,
    uniform: Array,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    repetition_penalty: float,
    previous: Any,
) -> Array:
    """`sample` with the numbers that are drawn, one for each row."""
    if repetition_penalty != 1.0 and previous is not None:
        scores = scores.copy()
        for row, seen in zip(scores, previous, strict=True):
            own = np.unique(np.asarray(seen, np.int64))
            row[own] = np.where(
                row[own] > 0, row[own] / repetition_penalty, row[own] * repetition_penalty
            )
    if temperature == 0.0:
        return np.asarray(scores.argmax(1), np.int32)
    draws = zip(scores / temperature, uniform.astype(np.float64), strict=True)
    return np.array([_drawn(row, u, top_k, top_p) for row, u in draws], np.int32)


def _drawn(scores: Array, u: float, top_k: int | None, top_p: float | None) -> int:
    """The token at which the probabilities, likeliest first, add up to more than u."""
    order = np.argsort(-scores, kind="stable")[: top_k or None]
    weights = np.exp(scores[order] - scores[order[0]])
    sums = np.cumsum(weights)
    if top_p is not None:
        kept = int(np.searchsorted(sums, top_p * sums[-1])) + 1
        sums = sums[:kept]
    return int(order[min(int(np.searchsorted(sums, u * sums[-1], "right")), len(sums) - 1)])


def scores_of(logits: Any) -> Array:
    """The logits in double; `ShapeError` or `DataError` where nothing can be chosen from them."""
    scores = np.asarray(as_tensor(logits).numpy(), np.float64)
    if scores.ndim != 2 or not scores.shape[1]:
        raise ShapeError(
            f"logits have shape {scores.shape}", where=user_line(), help="pass [rows, vocabulary]"
        )
    wrong = np.isnan(scores).any(1) | ~(scores.max(1) > -math.inf) | np.isposinf(scores).any(1)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise DataError(
            f"there is no token to choose from the logits of row {row}: they are NaN or infinite",
            where=user_line(),
            help="look for where that arises with cr.find_nonfinite; a full cache makes NaN",
        )
    return scores


def _check(
    temperature: float, top_k: int | None, top_p: float | None, repetition_penalty: float
) -> None:
    real = (int, float, np.number)
    legal = isinstance(temperature, real) and 0.0 <= temperature < math.inf
    setting("temperature", temperature, legal, "a number of at least 0")
    legal = top_k is None or (is_whole(top_k) and top_k >= 1)
    setting("top_k", top_k, legal, "None or a whole number of at least 1")
    legal = top_p is None or (isinstance(top_p, real) and 0.0 < top_p <= 1.0)
    setting("top_p", top_p, legal, "None or a share above 0, at most 1")
    legal = isinstance(repetition_penalty, real) and 0.0 < repetition_penalty < math.inf
    setting("repetition_penalty", repetition_penalty, legal, "a number above 0; 1 changes nothing")


def generate(
    step: Step,
    prompts: Any,
    state: Any,
    *,
    length: int,
    context: int | None = None,
    piece: int = 1,
    stop: int | None = None,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    repetition_penalty: float = 1.0,
    seed: int = 0,
) -> Iterator[Array]:
    """New tokens i32 [rows], one after the other, after ``prompts``: ``length`` for each row.

    Prompts are [rows, tokens], or a list of rows of several lengths; they are read token by token,
    by the program that also makes new ones, or, where as many are left in all rows, ``piece`` at a
    time: ``step`` then gets [rows, piece] and gives the scores after the last. -1 stands for no
    token: while another row has begun and this one still reads, and after ``stop``, which ends a
    row and is given out itself. The model starts in ``state``; if it holds ``context`` tokens and
    there are more, it starts again with the second half of the last ``context``. Settings are those
    of `sample`, and ``seed`` is that of the draws.

    `DataError` for an empty prompt and for a token that is not in the vocabulary.
    """
    rows = tokens_of(prompts)
    count, piece = whole("length", length, least=0), whole("piece", piece)
    if context is not None:
        context = whole("context", context, least=2)
    _check(temperature, top_k, top_p, repetition_penalty)

    def choose(logits: Any, uniform: Array) -> Array:
        settings = temperature, top_k, top_p, repetition_penalty
        return _chosen(scores_of(logits), uniform, *settings, rows)

    return _made(
        step,
        rows,
        state,
        [count] * len(rows),
        context,
        piece,
        stop,
        choose,
        _drawn_in_turn(len(rows), Generator(seed)),
    )


def _made(
    step: Step,
    rows: list[list[int]],
    state: Any,
    left: list[int],
    context: int | None,
    piece: int,
    stop: int | None,
    choose: Callable[[Any, Array], Array],
    draws: Iterator[Array],
) -> Iterator[Array]:
    """The tokens of `generate`, of which ``left`` are still to be made in each row."""
    first = state
    at = held = 0  # the next token to read, and how many the state holds
    while any(left):
        if held == context:
            at, held, state = at - held // 2, 0, first
        room = context is None or held + piece <= context
        known = min(len(row) for row, n in zip(rows, left, strict=True) if n) - at
        count = piece if room and known >= piece else 1
        window = range(at, at + count)
        tokens = np.array([[row[min(i, len(row) - 1)] for i in window] for row in rows], np.int32)
        logits, state = step(tokens, state)
        if at == 0:
            check_vocabulary(rows, logits)
        at, held = at + count, held + count
        choosing = [n > 0 and at == len(row) for row, n in zip(rows, left, strict=True)]
        if any(choosing):
            chosen = np.where(choosing, choose(logits, next(draws)), -1)
            for i in np.flatnonzero(choosing):
                rows[i].append(int(chosen[i]))
                left[i] = 0 if chosen[i] == stop else left[i] - 1
            yield chosen.astype(np.int32)


def _drawn_in_turn(rows: int, generator: Generator) -> Iterator[Array]:
    """Numbers from 0 to 1, one for each row at a time; drawn in blocks, which cost one call."""
    while True:
        yield from rand(BLOCK, rows, generator=generator).numpy()


def tokens_of(prompts: Any) -> list[list[int]]:
    """The tokens of each row; `DataError` or `ShapeError` for what cannot be read."""
    given = prompts if isinstance(prompts, list | tuple) else as_tensor(prompts).numpy()
    rows = [np.asarray(row) for row in given]
    for i, row in enumerate(rows):
        if row.ndim != 1 or (row.size and row.dtype.kind not in "iu"):
            raise ShapeError(
                f"prompt {i} is {row.dtype.name}{list(row.shape)}",
                where=user_line(),
                help="pass [rows, tokens], or a list of rows, of whole numbers",
            )
        if not row.size:
            raise DataError(
                f"prompt {i} is empty",
                where=user_line(),
                help="begin with a token that stands for the start of a text",
            )
    if not rows:
        raise DataError("there are no prompts", where=user_line(), help="pass at least one row")
    return [row.tolist() for row in rows]


def check_vocabulary(rows: list[list[int]], logits: Any) -> None:
    """`DataError` for tokens for which a model has no scores."""
    vocabulary = as_tensor(logits).shape[-1]
    for i, row in enumerate(rows):
        if not 0 <= min(row) <= max(row) < vocabulary:
            wrong = min(row) if min(row) < 0 else max(row)
            raise DataError(
                f"token {wrong} of prompt {i} is not among the {vocabulary} of the model",
                where=user_line(),
                help=f"tokens run from 0 to {vocabulary - 1}",
            )
