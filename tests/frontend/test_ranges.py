"""Indices out of range are told: outside of compiled code, in the first call, and by a Trainer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.errors import ShapeError
from chainrule.frontend.ranges import IndexCheck

TABLE = cr.tensor(np.arange(10.0).reshape(5, 2))


def rows(*numbers: int) -> Any:
    return np.array(numbers, np.int32)


@pytest.mark.parametrize("wrong", [5, -6, 1000])
@pytest.mark.parametrize("compiled", [False, True])
def test_the_first_call_tells(wrong: int, compiled: bool) -> None:
    def function(x: Any) -> cr.Tensor:
        return TABLE[x].sum(1)

    run = cr.compile(function) if compiled else function
    with pytest.raises(ShapeError, match=f"{wrong}.* axis 0 of length 5\n.*test_ranges.py"):
        run(rows(0, wrong))
    assert run(rows(0, 4, -5)).tolist() == [1.0, 17.0, 1.0]


def test_every_kind_of_arguments_has_a_first_call() -> None:
    run = cr.compile(lambda x: TABLE[x])
    run(rows(1))
    with pytest.raises(ShapeError, match="index 7 leaves axis 0 of length 5"):
        run(rows(1, 7))


def test_embeddings_and_computed_indices() -> None:
    layer = nn.Embedding(4, 3, padding_idx=0)
    run = cr.compile(lambda x: layer(x.reshape(-1)[1:] + 1))
    with pytest.raises(ShapeError, match=r"index 4 leaves .*\n.*\n.*an embedding needs a row"):
        run(np.array([[7, 3], [0, 1]]))
    assert run(np.array([[7, 2], [0, 1]])).shape == (3, 3)
    column = cr.compile(lambda x: layer(x[:, 1].int()))
    with pytest.raises(ShapeError, match="index 9 leaves"):
        column(np.array([[0.5, 9.0]], np.float32))


def test_indices_of_a_state() -> None:
    chosen = cr.tensor(rows(1, 8))
    with pytest.raises(ShapeError, match="index 8 leaves"):
        cr.compile(lambda x: TABLE[chosen] * x)(np.float32(2))


def test_what_a_step_computes_first_is_not_looked_at() -> None:
    def function(scores: Any) -> cr.Tensor:
        return TABLE[scores.argmax(0)]

    x = np.eye(3, dtype=np.float32)
    assert not IndexCheck(cr.compile(function).trace(x)).reads
    assert cr.compile(function)(x).shape == (3, 2)


def make(outputs: int = 1) -> cr.Trainer:
    cr.manual_seed(0)
    model = nn.Sequential(nn.Embedding(6, 2), nn.Flatten(), nn.Linear(6, outputs))
    return cr.Trainer(model, "mse", optim.SGD(model.parameters(), lr=0.1))


@pytest.mark.parametrize("count", [2, 3, 40])
def test_a_trainer_looks_at_all_rows(count: int) -> None:
    x = np.zeros((count, 3), np.int32)
    y = np.zeros((count, 1), np.float32)
    make().fit((x, y), epochs=1, batch_size=8)
    bad = x.copy()
    bad[-1, 1] = 6
    place = f"row {count - 1} of the"
    with pytest.raises(ShapeError, match=f"index 6 leaves axis 0 of length 6\n.*{place} training"):
        make().fit((bad, y), epochs=1, batch_size=8)
    with pytest.raises(ShapeError, match=f"{place} validation data"):
        make().fit((x, y), epochs=1, batch_size=8, validation=(bad, y))
    trainer = make()
    assert trainer.predict(x).shape == (count, 1)
    with pytest.raises(ShapeError, match=f"{place} data"):
        trainer.predict(bad)


def test_many_rows_are_looked_at_in_parts() -> None:
    x = np.zeros((40_000, 3), np.int32)
    x[39_000, 2] = -7
    with pytest.raises(ShapeError, match=r"index -7 leaves .*\n.*row 39000 of the data"):
        make().predict(x)
