"""Embeddings, dropout and pooling: numbers that are looked up, dropped or chosen."""

from __future__ import annotations

import numpy as np

from ... import nn
from ..shown import MisfitError, Part, Table, Text
from ..walk import Seen

__all__ = ["dropout_of", "embedding_of"]


def embedding_of(seen: Seen, place: tuple[int, ...]) -> list[Part]:
    """Which row of the table it is, and what that row's gradient is made of."""
    indices = seen.given.array.astype(np.int64)
    index, weight = int(indices[place[:-1]]), seen.parameters["weight"]
    value, y = float(weight.before[(index, place[-1])]), float(seen.result.array[place])
    if value != y:
        raise MisfitError("another row")
    name = f"{said}: " if (said := seen.given.name(place[:-1], "")) else ""
    reads = [tuple(map(int, p)) for p in np.argwhere(indices == index)]
    parts: list[Part] = [
        Text(f"{name}index {index} reads row {index} of the table of {len(weight.before)}: "
             f"weight[{index}, {place[-1]}] = {value:.6g}. No other row takes part in this output, "
             "so no other row gets a gradient through it."),
    ]  # fmt: skip
    arrived = seen.result.grad
    if arrived is not None and weight.grad is not None:
        rows = [(f"at {list(p)}", float(arrived[(*p, place[-1])])) for p in reads[:8]]
        rest = sum(float(arrived[(*p, place[-1])]) for p in reads[8:])
        rows += [(f"{len(reads) - 8} more places", rest)] if len(reads) > 8 else []
        rows.append(("dL/dw, as the engine has it", float(weight.grad[(index, place[-1])])))
        parts.append(Table(f"Row {index}, column {place[-1]}: the sum over all places that read it",
                           ("place", "dL/dy"), tuple(rows)))  # fmt: skip
    return parts


def dropout_of(seen: Seen, place: tuple[int, ...], training: bool) -> list[Part]:
    """Whether it was dropped."""
    x, y, p = float(seen.given.array[place]), float(seen.result.array[place]), float(seen.layer.p)
    if not training:
        return [Text(f"dropout passes everything on when the model predicts: {x:.6g} -> {y:.6g}")]
    if not isinstance(seen.layer, nn.Dropout):
        raise MisfitError("drops otherwise")
    share = float(np.mean(seen.result.array == 0))
    fate = "dropped: its gradient is 0, too" if y == 0 else (
        f"kept, and multiplied by 1/(1 - {p:g}) = {1 / (1 - p) if p < 1 else 0:.5g}, as is its "
        "gradient")  # fmt: skip
    return [Text(f"{x:.6g} -> {y:.6g}: {fate}. {share:.0%} of the outputs are 0.")]
