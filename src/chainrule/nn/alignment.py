"""Attention of a recurrent decoder to the outputs of an encoder, as it was before transformers."""

from __future__ import annotations

from typing import Any

from ..errors import ShapeError
from ..frontend.functional.attention import weighted_mean
from ..frontend.functional.recurrent import lengths_of_rows
from ..frontend.functional.windows import whole
from ..frontend.modes import user_line
from ..frontend.operations.arithmetic import less, tanh
from ..frontend.operations.creation import iota
from ..frontend.operations.products import matmul
from ..frontend.operations.shaping import transpose
from ..frontend.tensor import Tensor
from .linear import Linear
from .module import Module
from .recurrent import real_input


class _Alignment(Module):
    """Shapes, lengths and the mean; how well two vectors agree is what differs."""

    def __init__(self, query_size: int, key_size: int, batch_first: bool) -> None:
        super().__init__()
        name = type(self).__name__
        self.query_size = whole(f"query_size of {name}", query_size)
        self.key_size = whole(f"key_size of {name}", key_size)
        self.batch_first = bool(batch_first)

    def _scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """[batch, queries, keys] of query [batch, queries, .] and keys [batch, keys, .]."""
        raise NotImplementedError

    def forward(self, query: Any, keys: Any, *, lengths: Any = None) -> tuple[Tensor, Tensor]:
        """The context of each query, and the weights [batch, queries, keys].

        ``query`` is [queries, batch, query_size], or [batch, query_size] of one step, whose weights
        are [batch, keys]. ``keys`` are [keys, batch, key_size], of which the first ``lengths``
        [batch] of each row count. With ``batch_first`` the batch comes first.
        """
        order = "batch, {}" if self.batch_first else "{}, batch"
        query = real_input(
            query, self.query_size, (2, 3),
            f"[{order.format('queries')}, features], or [batch, features] of one step",
        )  # fmt: skip
        keys = real_input(keys, self.key_size, (3,), f"[{order.format('keys')}, features]")
        one = query.ndim == 2
        if not self.batch_first:
            keys = transpose(keys, 0, 1)
            query = query if one else transpose(query, 0, 1)
        query = query.unsqueeze(1) if one else query
        if query.shape[0] != keys.shape[0]:
            raise ShapeError(
                f"{query.shape[0]} rows of queries and {keys.shape[0]} rows of keys do not fit",
                where=user_line(),
                help="pass as many of both; batch_first says which axis they are",
            )
        read = None
        if lengths is not None:
            rows, steps = keys.shape[:2]
            counts, _ = lengths_of_rows(lengths, steps, rows)
            read = less(iota((rows, 1, steps), 2), counts.reshape(rows, 1, 1))
        context, weights = weighted_mean(self._scores(query, keys), keys, read)
        if one:
            return context[:, 0], weights[:, 0]
        return (context if self.batch_first else transpose(context, 0, 1)), weights


class AdditiveAttention(_Alignment):
    """score(q, k) = vᵀ tanh(W q + U k + b): Bahdanau, Cho and Bengio, 2015.

    "Neural machine translation by jointly learning to align and translate". Called with the state
    of a decoder and the outputs of an encoder it gives the context, the mean of the outputs with
    weights softmax(score), and the weights. Parameters: query.weight (W) [hidden_size, query_size],
    key.weight (U), key.bias, score.weight (v) [1, hidden_size].
    """

    def __init__(
        self, query_size: int, key_size: int, hidden_size: int, batch_first: bool = False
    ) -> None:
        super().__init__(query_size, key_size, batch_first)
        self.hidden_size = whole("hidden_size of AdditiveAttention", hidden_size)
        self.query = Linear(query_size, hidden_size, bias=False)
        self.key = Linear(key_size, hidden_size)
        self.score = Linear(hidden_size, 1, bias=False)

    def _scores(self, query: Tensor, keys: Tensor) -> Tensor:
        inside = tanh(self.query(query).unsqueeze(2) + self.key(keys).unsqueeze(1))
        scores: Tensor = self.score(inside)
        return scores[..., 0]


class MultiplicativeAttention(_Alignment):
    """score(q, k) = kᵀ W q: Luong, Pham and Manning, 2015, "Effective approaches to attention-based
    neural machine translation".

    Called as `AdditiveAttention`. Parameter: query.weight (W) [key_size, query_size].
    """

    def __init__(self, query_size: int, key_size: int, batch_first: bool = False) -> None:
        super().__init__(query_size, key_size, batch_first)
        self.query = Linear(query_size, key_size, bias=False)

    def _scores(self, query: Tensor, keys: Tensor) -> Tensor:
        return matmul(self.query(query), transpose(keys, 1, 2))
