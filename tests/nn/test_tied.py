"""A parameter that two modules share is one: in lists, steps, states and files."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.errors import StateError
from chainrule.nn import models
from chainrule.train.checkpoints.encoding import decoded, encoded

TOKENS = np.array([[1, 2, 3]], np.int32)


def model(tied: bool = True) -> models.GPT:
    cr.manual_seed(0)
    return models.GPT(7, 4, 8, 1, 2, tied=tied)


def test_counted_once_and_named_twice() -> None:
    shared, apart = model(), model(tied=False)
    assert shared.head.weight is shared.tokens.weight
    count = [sum(p.numel() for p in m.parameters()) for m in (shared, apart)]
    assert count[1] - count[0] == 7 * 8
    assert list(shared.state_dict()) == list(apart.state_dict())
    state = shared.state_dict()
    assert state["head.weight"] is state["tokens.weight"]


def test_a_copy_is_tied_to_itself() -> None:
    copied = copy.deepcopy(model())
    assert copied.head.weight is copied.tokens.weight


def test_its_gradient_is_the_sum_of_both_uses() -> None:
    shared, apart = model(), model(tied=False)
    apart.load_state_dict(shared.state_dict())
    for each in (shared, apart):
        (each(TOKENS) ** 2).sum().backward()
    both = apart.head.weight.grad + apart.tokens.weight.grad
    np.testing.assert_allclose(shared.tokens.weight.grad, both, rtol=1e-5, atol=1e-6)


def test_a_step_moves_both() -> None:
    shared = model()
    adam = optim.Adam(shared.parameters(), lr=0.1)

    @cr.compile
    def step(x: cr.Tensor) -> None:
        adam.zero_grad()
        (shared(x) ** 2).sum().backward()
        adam.step()

    before = shared.tokens.weight.numpy()
    step(TOKENS)
    assert (shared.tokens.weight.numpy() != before).any()
    assert shared.head.weight is shared.tokens.weight


def test_saved_once_and_loaded_under_both_names(tmp_path: Path) -> None:
    shared, apart = model(), model(tied=False)
    sizes = {}
    for name, each in (("shared", shared), ("apart", apart)):
        cr.save(each, tmp_path / name)
        sizes[name] = (tmp_path / name).stat().st_size
    assert sizes["shared"] < sizes["apart"] - 4 * 7 * 8 + 100
    loaded = cr.load(tmp_path / "shared")
    assert loaded.keys() == shared.state_dict().keys()
    for target in (model(), model(tied=False)):
        nn.init.zeros_(target.tokens.weight)
        target.load_state_dict(loaded)
        np.testing.assert_array_equal(target(TOKENS).numpy(), shared(TOKENS).numpy())


def test_one_of_two_names_will_do() -> None:
    state = model().state_dict()
    for name in ("head.weight", "tokens.weight"):
        target = model()
        nn.init.zeros_(target.tokens.weight)
        rest = {n: a for n, a in state.items() if n != name}
        assert target.load_state_dict(rest) == ([], [])
        np.testing.assert_array_equal(target.tokens.weight.numpy(), state["head.weight"])
    with pytest.raises(StateError, match=r"missing tokens.weight; missing head.weight"):
        model().load_state_dict({n: a for n, a in rest.items() if n != "head.weight"})


def test_names_that_contradict_each_other_change_nothing() -> None:
    target = model()
    state: dict[str, Any] = target.state_dict()
    other = {**state, "head.weight": state["head.weight"] + 1.0}
    with pytest.raises(StateError, match=r"tokens.weight and head.weight are one parameter"):
        target.load_state_dict(other)
    np.testing.assert_array_equal(target.tokens.weight.numpy(), state["tokens.weight"])


def test_a_checkpoint_holds_it_once() -> None:
    state = {"model": model().state_dict()}
    tree, arrays = encoded(state)
    assert len(arrays) == len(state["model"]) - 1
    again = decoded(tree, arrays)["model"]
    assert again.keys() == state["model"].keys()
    np.testing.assert_array_equal(again["head.weight"], state["model"]["head.weight"])
