"""The two tests of long memory: what they ask for, and that a short one is learned."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from test_classics import example

memory = example("memory")


def test_adding_asks_for_the_sum_of_two_marked_numbers() -> None:
    x, target = memory.adding(np.random.default_rng(0), 500, 21)
    assert (x.shape, target.shape) == ((21, 500, 2), (1, 500, 1))
    assert (x[:10, :, 1].sum(0) == 1).all()
    assert (x[10:, :, 1].sum(0) == 1).all()
    np.testing.assert_allclose((x[:, :, 0] * x[:, :, 1]).sum(0), target[0, :, 0])
    assert ((target - 1.0) ** 2).mean() == pytest.approx(1 / 6, rel=0.2)  # always saying 1


def test_copying_asks_for_what_was_shown() -> None:
    x, target = memory.copying(np.random.default_rng(0), 7, 13)
    assert (x.shape, target.shape) == ((33, 7, 10), (10, 7))
    codes = x.argmax(-1)
    assert (x.sum(-1) == 1).all()
    assert (codes[:10] == target).all()
    assert (codes[10:22] == 8).all()
    assert (codes[22] == 9).all()
    assert (codes[23:] == 8).all()  # ten steps in which to say them


def test_copying_is_practised_with_every_delay() -> None:
    x, target = memory.copying_sooner(np.random.default_rng(0), 500, 13)
    assert x.shape == (33, 500, 10)
    codes = x.argmax(-1)
    first = (codes < 8).argmax(0)
    assert sorted(set(first.tolist())) == list(range(13))  # delays of 13 to 1
    for row in range(500):
        shown = codes[first[row] : first[row] + 10, row]
        np.testing.assert_array_equal(shown, target[:, row])
        assert (codes[:, row] < 8).sum() == 10
    assert (codes[22] == 9).all()


def test_cells_remember_from_the_start() -> None:
    cr.manual_seed(0)
    lstm = nn.LSTM(3, 256)
    memory.remember(lstm, 50)
    first, forget = lstm.state_dict()["bias_ih_l0"][:512].reshape(2, 256)
    np.testing.assert_array_equal(first, -forget)
    kept = np.exp(forget)
    assert 1 <= kept.min() < 3
    assert 46 < kept.max() <= 49
    assert (lstm.state_dict()["bias_hh_l0"] == 0).all()


def test_a_short_sum_is_learned() -> None:
    short = dataclasses.replace(memory.ADDING, length=6, hidden=16, lr=0.02, most=300)
    scores: list[float] = []
    solved = memory.train(short, 0, lambda step, score: scores.append(score), every=50)
    assert solved is not None, scores
