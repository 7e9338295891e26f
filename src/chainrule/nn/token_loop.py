"""Many tokens in one native call: the step of a model, and the choice of its next token.

    token, state ── step ──► scores ── choice ──► token          as often as the call says

What the model keeps of the tokens before is memory of the program, updated in place: a token writes
its own keys and values and copies none.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..driver import load
from ..errors import ShapeError
from ..frontend.compiled import Call, Recordings
from ..frontend.functional.windows import whole
from ..frontend.modes import no_grad, user_line
from ..frontend.operations.arithmetic import equal, less, maximum, where
from ..frontend.operations.creation import iota, tensor
from ..frontend.storage import Storage
from ..frontend.tensor import Tensor
from ..frontend.traced import trace_function
from ..frontend.tree import Tree, flatten, unflatten
from ..ir.graph import Graph
from ..ir.types import Array
from ..runtime.program import NativeProgram
from .choosing import Choice, chosen
from .module import as_tensor

__all__ = ["TokenLoop"]


class TokenLoop:
    """``step(tokens [rows, n], state) -> (scores [rows, vocabulary], state)`` for `generate`, which
    then makes many tokens in one call.

    ``step`` is recorded, not called for each token: it may do what a compiled function may, and
    each leaf of its state keeps its shape and dtype. There is one program for each number of rows
    and for each kind of choice: the likeliest, one that is drawn, with and without each setting.
    """

    def __init__(self, step: Callable[[Any, Any], tuple[Any, Any]], vocabulary: int) -> None:
        self.step, self.vocabulary = step, whole("vocabulary", vocabulary)
        self._kinds: dict[Any, _Kind] = {}

    def begin(self, rows: int, state: Any, seen: Array | None) -> _Kind:
        """The memory for ``rows`` texts that begin in ``state``; ``seen`` marks the tokens that are
        in them, [rows, vocabulary], where that counts.
        """
        leaves, tree = flatten(state, lambda value: isinstance(value, Storage | np.ndarray))
        first = [np.asarray(as_tensor(leaf).numpy()) for leaf in leaves]
        shapes = tuple((a.shape, a.dtype.str) for a in first)
        key = (rows, tree, shapes, seen is not None)
        if key not in self._kinds:
            self._kinds[key] = _Kind(self, rows, tree, first, seen)
        kind = self._kinds[key]
        kind.begin(first, seen)
        return kind


class _Kind:
    """The memory of texts of one number of rows, and the programs that go on with them."""

    def __init__(
        self, loop: TokenLoop, rows: int, tree: Tree, first: list[Array], seen: Array | None
    ) -> None:
        self._loop, self._rows, self._tree = loop, rows, tree
        self._state = [tensor(a) for a in first]
        self._token = tensor(np.zeros(rows, np.int32))
        self._seen = None if seen is None else tensor(seen)
        self._recordings: dict[tuple[Choice, int], Recordings[NativeProgram]] = {}

    def begin(self, first: Sequence[Array], seen: Array | None) -> None:
        """Texts that have read nothing."""
        self._first = first
        self.restart()
        if self._seen is not None and seen is not None:
            self._seen.assign_(seen)

    def restart(self) -> None:
        """Forget what was read; what was said stays."""
        for own, array in zip(self._state, self._first, strict=True):
            own.assign_(array)

    def run(self, choice: Choice, known: Array, uniform: Array, numbers: Sequence[Array]) -> Array:
        """A step for each of ``known`` [steps, rows, piece]: tokens to read, where one is -1 that
        which was chosen before. The token chosen after each, [steps, rows].
        """
        inputs = (known, uniform, *numbers)
        with no_grad():
            call = self._call(choice, inputs)
            execute = functools.partial(call.run.run_many, len(known), *inputs)
            [tokens] = call.perform(execute)
        return tokens

    def _call(self, choice: Choice, inputs: tuple[Array, ...]) -> Call[NativeProgram]:
        kind = choice, inputs[0].shape[2]
        recordings = self._recordings.setdefault(kind, Recordings())
        call = recordings.current()
        if call is not None:
            return call
        one = (inputs[0][0], inputs[1][0], *inputs[2:])
        names = ["known", "uniform", "temperature", "k", "p", "penalty"]
        traced = trace_function(functools.partial(self._step, choice), one, {}, names=names)

        def program(graph: Graph, states: Sequence[Array]) -> NativeProgram:
            return load(graph, states, stepped=frozenset({0, 1}))

        return recordings.add(traced, one, program)

    def _step(
        self, choice: Choice, known: Tensor, uniform: Tensor,
        temperature: Tensor, k: Tensor, p: Tensor, penalty: Tensor,
    ) -> Tensor:  # fmt: skip
        tokens = known
        if known.shape[1] == 1:
            tokens = where(less(known, 0), self._token.unsqueeze(1), known)
        scores, state = self._loop.step(tokens, unflatten(self._tree, self._state))
        scores = as_tensor(scores)
        self._check(scores, state)
        if self._seen is not None:
            own = equal(iota(scores.shape, 1), tokens[:, -1:])
            seen = maximum(self._seen, own.float())
            self._seen.assign_(seen)
            less_likely = where(less(0.0, scores), scores / penalty, scores * penalty)
            scores = where(less(0.0, seen), less_likely, scores)
        following = chosen(scores, uniform, choice, temperature, k, p)
        self._token.assign_(following)
        return following

    def _check(self, scores: Tensor, state: Any) -> None:
        """Take over the new state; `ShapeError` for what is shaped otherwise."""
        want = (self._rows, self._loop.vocabulary)
        if scores.shape != want:
            raise ShapeError(
                f"the step of a token loop gives scores {scores.shape}, not {want}",
                where=user_line(),
                help="give [rows, vocabulary], and the loop the size of that vocabulary",
            )
        leaves, tree = flatten(state, lambda value: isinstance(value, Storage | np.ndarray))
        new = [as_tensor(leaf) for leaf in leaves]
        shapes = [(t.shape, t.dtype) for t in new]
        if tree != self._tree or shapes != [(t.shape, t.dtype) for t in self._state]:
            raise ShapeError(
                "the state after a step is shaped otherwise than before",
                where=user_line(),
                help="a state keeps its containers, shapes and dtypes",
            )
        for own, value in zip(self._state, new, strict=True):
            own.assign_(value)
