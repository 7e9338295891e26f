"""Joins and splits as users write them, every pattern with every reader: 560 cases in all.

A value is split, its parts go through functions of their own, they are joined, and something reads
the result beside the value itself. ``python -m systematic`` runs all, `tests/test_systematic.py`
some; each compares the compiled loss and all gradients with the interpreter's.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

import chainrule as cr
from chainrule.compared import compare
from chainrule.ir.types import Array
from chainrule.nn import functional as F

Tensor = cr.Tensor
Join = Callable[[Tensor, Tensor], Tensor]
Reader = Callable[[Tensor, Tensor, Tensor], Tensor]

#: of a hidden value h (rows, columns) and a square matrix v
JOINS: dict[str, Join] = {
    "two parts": lambda h, v: cr.cat([h[:, :3], F.softplus(h[:, 3:])], 1),
    "three parts": lambda h, v: cr.cat([h[:, :2].tanh(), h[:, 2:5], -h[:, 5:]], 1),
    "parts turned round": lambda h, v: cr.cat([h[:, 4:], h[:, :4].exp()], 1),
    "rows": lambda h, v: cr.cat([h[:2], F.sigmoid(h[2:])], 0),
    "beside a product": lambda h, v: cr.cat([(h @ v).tanh(), h], 1),
    "beside its norm": lambda h, v: cr.cat([F.layer_norm(h, h.shape[-1:]), h], 1),
    "beside its softmax": lambda h, v: cr.cat([F.softmax(h, 1), h], 1),
    "beside itself": lambda h, v: cr.cat([h, h], 0),
    "shifted right": lambda h, v: h + F.pad(h, (1, -1)),
    "shifted down": lambda h, v: h @ v + F.pad(h, (0, 0, 1, -1)) @ v,
    "differences": lambda h, v: h[:, 1:] - h[:, :-1],
    "padded on both sides": lambda h, v: F.pad(h.tanh(), (1, 2)),
    "padded with ones": lambda h, v: F.pad(h, (2, 0), value=1.0) * 0.5,
    "rolled": lambda h, v: h + cr.cat([h[:, 2:], h[:, :2]], 1),
    "flipped": lambda h, v: cr.cat([h, h.flip(1)], 1),
    "stacked": lambda h, v: cr.stack([h, h.tanh(), h * 2.0], 1).sum(2),
    "a gate": lambda h, v: h[:, ::2] * F.sigmoid(h[:, 1::2]) if h.shape[1] % 2 == 0 else h * h,
    "chunks": lambda h, v: cr.cat([c.tanh() * i for i, c in enumerate(h.chunk(2, 1), 1)], 1),
    "heads": lambda h, v: cr.cat([h[:, i : i + 2].softmax(1) for i in range(0, 6, 2)], 1),
    "a part that goes on": lambda h, v: cr.cat([h[:, :3], (h[:, :3] + h[:, 3:6]).tanh()], 1),
}

#: of the joined value z, the value h, and targets y of h's shape
READERS: dict[str, Reader] = {
    "squares": lambda z, h, y: z.square().sum(),
    "squares and the value": lambda z, h, y: z.square().mean() + (h * y).sum(),
    "its parts": lambda z, h, y: z[:, : z.shape[1] // 2 + 1].tanh().sum() + z[-1].square().sum(),
    "a norm": lambda z, h, y: (F.layer_norm(z, z.shape[-1:]) * cr.arange(z.shape[1])).mean(),
    "the largest": lambda z, h, y: z.amax(1).sum() + z.mean(0).square().sum(),
    "a product": lambda z, h, y: (z.T @ z).tanh().sum(),
    "the shifted": lambda z, h, y: (z + F.pad(z, (1, -1))).square().mean() + z.exp().mean(),
}

SHAPES: tuple[tuple[int, int], ...] = ((5, 7), (4, 16), (33, 40), (64, 520))


@dataclass(frozen=True)
class Case:
    """One join, one reader, one shape."""

    join: str
    reader: str
    shape: tuple[int, int]

    def check(self) -> None:
        """Raise VerifyError if the compiled loss or a gradient is not the interpreter's."""
        columns = self.shape[1]
        rng = np.random.default_rng(0)
        x, y = (rng.standard_normal(self.shape, np.float32) for _ in range(2))
        w, v = (
            rng.standard_normal((columns, columns), np.float32) / np.float32(columns) ** 0.5
            for _ in range(2)
        )

        def loss(x: Tensor, w: Tensor, v: Tensor, y: Tensor) -> Tensor:
            h = x @ w
            return READERS[self.reader](JOINS[self.join](h, v), h, y)

        @cr.compile
        def step(x: Tensor, w: Tensor, v: Tensor, y: Tensor) -> list[Tensor]:
            value, slopes = cr.value_and_grad(loss, (0, 1, 2, 3))(x, w, v, y)
            return [value, *slopes]

        values: list[Array] = [x, w, v, y]
        graph = step.trace(*values).graph
        found = [t.numpy() for t in step(*values)]
        compare(graph, values, found, ["the loss", *(f"slope {n}" for n in "xwvy")])


def cases() -> Iterator[Case]:
    """All of them."""
    for join, reader, shape in itertools.product(JOINS, READERS, SHAPES):
        yield Case(join, reader, shape)


def main() -> int:
    """Check every case and say which are wrong."""
    every, wrong = list(cases()), 0
    for case in every:
        try:
            case.check()
        except Exception as error:  # whatever it is, it is a finding
            wrong += 1
            print(f"{case}: {type(error).__name__}: {str(error).splitlines()[0]}", flush=True)
    print(f"{len(every)} joins and splits, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
