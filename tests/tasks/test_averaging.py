"""The mean of several networks is that of each example alone."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.runs.task import Task
from chainrule.tasks.averaging import mean_of
from chainrule.tasks.classification import Binary
from chainrule.tasks.quantiles import Quantiles
from chainrule.tasks.regression import Regression
from chainrule.train import Scores

RNG = np.random.default_rng(4)
NETWORKS = 15


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize(
    "goal", [Regression(1.0, 2.0), Quantiles(1.0, 2.0, levels=(0.5,)), Binary((False, True))]
)
def test_an_example_has_the_same_bits_alone_and_among_many(goal: Task, weighed: bool) -> None:
    """Also for as many networks as NumPy would add up in another order for one example."""
    link = "sigmoid" if goal.labels else "identity"
    outputs = RNG.normal(size=(NETWORKS, 40, 1)).astype(np.float32)
    shares = RNG.dirichlet(np.ones(NETWORKS)).tolist() if weighed else None

    def together(rows: slice) -> np.ndarray:
        members = [(goal, Scores(own[rows], link)) for own in outputs]
        return goal.together(members, shares).outputs

    many = together(slice(None))
    for row in range(40):
        np.testing.assert_array_equal(together(slice(row, row + 1))[0], many[row])


def test_the_mean_and_its_weights() -> None:
    each = RNG.normal(size=(9, 5, 3))
    np.testing.assert_allclose(mean_of(list(each)), each.mean(axis=0), rtol=1e-13)
    shares = RNG.dirichlet(np.ones(9))
    expected = np.einsum("k,knc->nc", shares, each)
    np.testing.assert_allclose(mean_of(list(each), shares.tolist()), expected, rtol=1e-12)
