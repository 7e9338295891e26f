"""RealMLP: how its parameters learn, and what it takes from the training rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.modalities.tables import TABLES
from chainrule.modalities.tables.realmlp import RealMLP
from chainrule.nn.learning import Learning
from chainrule.runs.dry_run import prepare_run
from chainrule.runs.settings.sources import from_overrides, gather, usual
from interpreting import interpreting

RNG = np.random.default_rng(0)


def network(members: int = 2) -> RealMLP:
    return RealMLP(3, (0, 1), (4,), 2, (6, 5), 0.1, members, "softmax")


def test_parameters_learn_at_their_rates() -> None:
    net = network()
    assert net.learning("scale.weight") == Learning(6.0)
    assert net.learning("layers.0.weight") == Learning()
    assert net.learning("layers.0.bias") == Learning(0.1, 0.0)
    assert net.learning("waves.bias") == net.learning("activations.1.weight") == Learning(0.1)
    assert sum(map(len, net.by_learning().values())) == len(list(net.parameters()))


def test_optimizer_has_these_rates(table: dict[str, Any]) -> None:
    words = ("data.target=ill", "preset=realmlp", "model.layers=[4]", "train.lr=0.01")
    settings = gather([*usual(TABLES.settings), from_overrides(words, "test")], TABLES.settings)
    with prepare_run(TABLES, settings.settings, table) as run, interpreting():
        groups = run.trainer().optimizer.param_groups
    highest = {max(group["lr"].lr_at(step) for step in range(300)) for group in groups}
    assert sorted(highest) == pytest.approx([0.001, 0.01, 0.06], rel=0.01)
    assert {g["weight_decay"] for g in groups} == {0.0, 0.02}


def test_first_outputs_vary_as_much_as_they_should() -> None:
    net = network()
    numbers = RNG.normal(5, 3, (300, 3)).astype(np.float32)
    codes = RNG.integers(0, 4, (300, 1)).astype(np.int32)
    net.fit(numbers, codes)
    net.dropout.p = 0.0
    with cr.no_grad():
        outputs = net(cr.tensor(numbers), cr.tensor(codes)).numpy()
    assert outputs.shape == (2, 300, 2)
    np.testing.assert_allclose(outputs.std(1), 1, rtol=1e-3)
