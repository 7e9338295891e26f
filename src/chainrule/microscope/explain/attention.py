"""Attention: what each head looks at, as rows of its softmax."""

from __future__ import annotations

import numpy as np

from ...errors import ChainruleError
from ...frontend.apply import from_array
from ..shown import MisfitError, Part, Table, Term, sum_of
from ..walk import Seen, Walker
from .weighted import grid

__all__ = ["attention_of"]

HEADS = 8


def attention_of(walker: Walker, seen: Seen, place: tuple[int, ...]) -> list[Part]:
    """The weights of each head, by the layer itself, and the row of one query."""
    layer = seen.layer
    given = [from_array(np.array(v.array)) for v in seen.arguments[:3]]
    masks = [from_array(np.array(v.array)) for v in seen.arguments[3:]]
    try:
        with walker.mode():
            y, found = layer(*given, *masks, need_weights=True, average_attn_weights=False)
    except (ChainruleError, TypeError) as error:
        raise MisfitError(str(error)) from None
    if not np.allclose(y.numpy(), seen.result.array, rtol=1e-3, atol=1e-5):
        raise MisfitError("other arguments")
    weights = found.numpy()
    alone = seen.result.array.ndim == 2
    row = 0 if alone else place[0] if layer.batch_first else place[1]
    query = place[0] if alone or not layer.batch_first else place[1]
    heads = weights if alone else weights[row]
    parts: list[Part] = []
    for head, matrix in enumerate(heads[:HEADS]):
        most = int(matrix[query].argmax())
        words = f"query {query} looks most at key {most}: {matrix[query, most]:.1%}"
        parts.append(grid(f"Head {head}: rows of the softmax", matrix, mark=(query, most),
                          rows="query", columns="key", words=words))  # fmt: skip
    row_of = heads[0][query]
    terms = [Term(f"key {k}", (float(v),), float(v)) for k, v in enumerate(row_of)]
    parts.append(
        sum_of(
            f"Head 0, query {query}: shares of the keys",
            "Σ softmax = 1",
            ("key", "share", ""),
            terms,
            float(np.sum(row_of, dtype=np.float64)),
        )
    )
    entropy = -(heads[:, query] * np.log(np.maximum(heads[:, query], 1e-30))).sum(-1)
    parts.append(Table("How widely each head looks", ("head", "keys it spreads over"),
                       tuple((h, float(np.exp(e))) for h, e in enumerate(entropy)),
                       "1 is a single key"))  # fmt: skip
    return parts
