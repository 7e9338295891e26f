"""From the scores of a language model to the next token, and to a text: on the host, with NumPy.

``step(tokens, state)`` is a model, compiled or not: for the next tokens i32 [rows, 1] and what it
keeps of those before it gives scores [rows, vocabulary] and the new state, nested Tensors or arrays
that are not changed. Random numbers are counted, so one seed makes one text, everywhere.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..elementary import exp
from ..errors import DataError, ShapeError
from ..frontend.functional.activations import setting
from ..frontend.functional.windows import whole
from ..frontend.modes import user_line
from ..frontend.random import Generator, default_generator, rand
from ..ir.types import Array, is_whole
from .choosing import IMPOSSIBLE, Choice
from .module import as_tensor
from .token_loop import TokenLoop

__all__ = ["generate", "sample"]

Step = Callable[[Any, Any], tuple[Any, Any]]

#: seconds that a call takes whose tokens are shown together
PATIENCE = 0.03
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
    probabilities add up to ``top_p`` (Holtzman et al., 2020); tokens as likely as the last of these
    are left, too. A temperature of 0 takes the likeliest, of equal ones the first. Takes one count
    of ``generator``.

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
    """The token at which the probabilities, in the order of the vocabulary, add up to more than u
    (as in `choosing`).
    """
    logs = scores - scores.max()
    weights = exp(logs)
    if top_k is not None and top_k < len(logs):
        weights[logs < np.sort(logs)[-top_k]] = 0.0
    if top_p is not None:
        order = np.argsort(-logs, kind="stable")
        sums = np.cumsum(weights[order])
        last = min(int(np.searchsorted(sums, top_p * sums[-1])), len(sums) - 1)
        weights[logs < logs[order[last]]] = 0.0
    sums = np.cumsum(weights)
    return min(int(np.searchsorted(sums, u * sums[-1], "right")), int(np.flatnonzero(weights)[-1]))


def scores_of(logits: Any) -> Array:
    """The logits in double; `ShapeError` or `DataError` where nothing can be chosen from them."""
    scores = np.asarray(as_tensor(logits).numpy(), np.float64)
    if scores.ndim != 2 or not scores.shape[1]:
        raise ShapeError(
            f"logits have shape {scores.shape}", where=user_line(), help="pass [rows, vocabulary]"
        )
    wrong = np.isnan(scores).any(1) | ~(scores.max(1) > -math.inf) | np.isposinf(scores).any(1)
    _refuse_impossible(wrong)
    return scores


def _refuse_impossible(wrong: Array) -> None:
    """`DataError` if a row is ``wrong``."""
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise DataError(
            f"there is no token to choose from the logits of row {row}: they are NaN or infinite",
            where=user_line(),
            help="look for where that arises with cr.find_nonfinite; a full cache makes NaN",
        )


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


class _Settings(NamedTuple):
    """Of `sample`, as a program takes them."""

    temperature: float
    top_k: int | None
    top_p: float | None
    penalty: float

    @property
    def choice(self) -> Choice:
        """What a program is made for."""
        drawn = self.temperature > 0.0
        of_k, of_p = self.top_k is not None, self.top_p not in (None, 1.0)
        return Choice(drawn, drawn and of_k, drawn and of_p)

    @property
    def numbers(self) -> tuple[Array, ...]:
        """What one program takes any of."""
        real = self.temperature, self.top_k or 1, 1.0 if self.top_p is None else self.top_p
        return tuple(np.asarray(n, np.float32) for n in (*real, self.penalty))

    def marked(self, rows: list[list[int]], vocabulary: int) -> Array | None:
        """The tokens that are in each row, 1.0 in [rows, vocabulary], where that changes scores."""
        if self.penalty == 1.0:
            return None
        seen = np.zeros((len(rows), vocabulary), np.float32)
        for marks, row in zip(seen, rows, strict=True):
            marks[row] = 1.0
        return seen


def generate(
    step: Step | TokenLoop,
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
    time: ``step`` then gets [rows, piece] and gives the scores after the last. With a `TokenLoop`
    in place of ``step`` many tokens are made in one native call, no more than take `PATIENCE`.

    -1 stands for no token: while another row has begun and this one still reads, and after
    ``stop``, which ends a row and is given out itself. The model starts in ``state``; if it holds
    ``context`` tokens and there are more, it starts again with the second half of the last
    ``context``. Settings are those of `sample`, and ``seed`` is that of the draws.

    `DataError` for an empty prompt and for a token that is not in the vocabulary.
    """
    rows = tokens_of(prompts)
    count, piece = whole("length", length, least=0), whole("piece", piece)
    if context is not None:
        context = whole("context", context, least=2)
    _check(temperature, top_k, top_p, repetition_penalty)

    settings = _Settings(temperature, top_k, top_p, repetition_penalty)
    left, draws = [count] * len(rows), _Draws(len(rows), Generator(seed))
    if isinstance(step, TokenLoop):
        return _made_in_calls(step, rows, state, left, context, piece, stop, settings, draws)

    def choose(logits: Any, uniform: Array) -> Array:
        return _chosen(scores_of(logits), uniform, *settings, rows)

    return _made(step, rows, state, left, context, piece, stop, choose, draws)


def _made(
    step: Step,
    rows: list[list[int]],
    state: Any,
    left: list[int],
    context: int | None,
    piece: int,
    stop: int | None,
    choose: Callable[[Any, Array], Array],
    draws: _Draws,
) -> Iterator[Array]:
    """The tokens of `generate`, of which ``left`` are still to be made in each row."""
    first, begin = state, min(map(len, rows))
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
            chosen = np.where(choosing, choose(logits, draws[at - begin]), -1)
            yield _taken(chosen, rows, left, stop)


def _made_in_calls(
    loop: TokenLoop,
    rows: list[list[int]],
    state: Any,
    left: list[int],
    context: int | None,
    piece: int,
    stop: int | None,
    settings: _Settings,
    draws: _Draws,
) -> Iterator[Array]:
    """The tokens of `_made`, many of them in a call, but no more than show as they are made."""
    _refuse_unknown(rows, loop.vocabulary)
    memory = loop.begin(len(rows), state, settings.marked(rows, loop.vocabulary))
    begin = min(map(len, rows))
    at = held = 0
    pace = 1  # tokens that a call makes
    while any(left):
        if held == context:
            at, held = at - held // 2, 0
            memory.restart()
        known = min(len(row) for row, n in zip(rows, left, strict=True) if n) - at
        room = math.inf if context is None else context - held
        size = piece if piece <= min(known, room) else 1
        steps = known // size if size > 1 else known - 1 + max(1, min(pace, max(left)))
        steps = min(steps, int(room // size)) if room < math.inf else steps
        ends = range(at + size, at + size * steps + 1, size)
        uniform = np.stack([draws[max(0, end - begin)] for end in ends])
        start = time.perf_counter()
        read = _pieces(rows, at, steps, size)
        made = memory.run(settings.choice, read, uniform, settings.numbers)
        if size == 1:
            pace = int(PATIENCE * steps / (time.perf_counter() - start))
        for at, chosen in zip(ends, made, strict=True):
            held += size
            choosing = [n > 0 and at == len(row) for row, n in zip(rows, left, strict=True)]
            if any(choosing):
                yield _taken(np.where(choosing, chosen, -1), rows, left, stop)


def _pieces(rows: list[list[int]], at: int, steps: int, size: int) -> Array:
    """What there is of the tokens from number ``at`` on, -1 for others: [steps, rows, size]."""
    tokens = np.full((len(rows), steps * size), -1, np.int32)
    for place, row in zip(tokens, rows, strict=True):
        own = row[at : at + steps * size]
        place[: len(own)] = own
    return np.ascontiguousarray(tokens.reshape(len(rows), steps, size).swapaxes(0, 1))


def _taken(chosen: Array, rows: list[list[int]], left: list[int], stop: int | None) -> Array:
    """``chosen``, added to the rows that it is for."""
    _refuse_impossible(chosen == IMPOSSIBLE)
    for i in np.flatnonzero(chosen >= 0):
        rows[i].append(int(chosen[i]))
        left[i] = 0 if chosen[i] == stop else left[i] - 1
    return chosen.astype(np.int32)


class _Draws:
    """Numbers from 0 to 1, one for each row at a time; drawn in blocks, which cost one call."""

    def __init__(self, rows: int, generator: Generator) -> None:
        self._rows, self._generator = rows, generator
        self._blocks: list[Array] = []

    def __getitem__(self, number: int) -> Array:
        block, row = divmod(number, BLOCK)
        while len(self._blocks) <= block:
            drawn = rand(BLOCK, self._rows, generator=self._generator)
            self._blocks.append(drawn.numpy())
        found: Array = self._blocks[block][row]
        return found


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
    _refuse_unknown(rows, as_tensor(logits).shape[-1])


def _refuse_unknown(rows: list[list[int]], vocabulary: int) -> None:
    for i, row in enumerate(rows):
        if not 0 <= min(row) <= max(row) < vocabulary:
            wrong = min(row) if min(row) < 0 else max(row)
            raise DataError(
                f"token {wrong} of prompt {i} is not among the {vocabulary} of the model",
                where=user_line(),
                help=f"tokens run from 0 to {vocabulary - 1}",
            )
