"""The stored numbers belong to the problems that NumPy makes here."""

from __future__ import annotations

import numpy as np
import pytest

from reference.problems import PROBLEMS, load

CURVES = {case["name"]: case for case in load("curves")["cases"]}


@pytest.mark.parametrize("name", PROBLEMS)
def test_problem_has_the_bits_the_curves_were_made_with(name: str) -> None:
    assert PROBLEMS[name].digest() == CURVES[name]["digest"]


@pytest.mark.parametrize("name", PROBLEMS)
def test_first_loss_follows_from_weights_and_first_batch(name: str) -> None:
    problem = PROBLEMS[name]
    x, y = problem.data()
    rows = next(problem.batches())
    h = x[rows].astype(np.float64)
    *hidden, (last, bias) = problem.weights()
    for w, b in hidden:
        h = np.maximum(h @ w.T + b, 0)
    z = h @ last.T + bias
    if z.shape[1] == 1:
        loss = np.mean(np.logaddexp(0, z) - y[rows] * z)
    else:
        log_sum = np.log(np.exp(z).sum(axis=1))
        loss = np.mean(log_sum - z[np.arange(len(rows)), y[rows]])
    assert loss == pytest.approx(CURVES[name]["float64"][0], rel=1e-12)


@pytest.mark.parametrize("name", PROBLEMS)
def test_permuted_units_stay_close_at_first(name: str) -> None:
    case = CURVES[name]
    assert case["kink_distance"] > 1e-6
    for permuted in case["permuted"]:
        np.testing.assert_allclose(permuted[:10], case["float32"][:10], rtol=1e-6)


def test_optimizer_problem_has_the_gradient_it_states() -> None:
    """Plain descent by hand, on the network of the optimizers, gives the numbers committed."""
    optimizers = load("optimizers")
    fixed = {key: np.array(value) for key, value in optimizers["problem"].items()}
    x, y = fixed["x"], fixed["y"]
    w1, b1, w2, b2 = (fixed[key] for key in ("W1", "b1", "W2", "b2"))
    plain = optimizers["cases"][0]
    assert (plain["name"], plain["kwargs"]) == ("SGD", {"lr": 0.05})
    shown = dict(zip(optimizers["shown"], plain["parameters"], strict=True))
    for step, loss in enumerate(plain["losses"][:10]):
        hidden = np.tanh(x @ w1.T + b1)
        error = hidden @ w2.T + b2 - y
        assert np.mean(error**2) == pytest.approx(loss, rel=1e-12)
        dy = 2 * error / error.size
        dz = dy @ w2 * (1 - hidden**2)
        w1, b1 = w1 - 0.05 * dz.T @ x, b1 - 0.05 * dz.sum(axis=0)
        w2, b2 = w2 - 0.05 * dy.T @ hidden, b2 - 0.05 * dy.sum(axis=0)
        for mine, theirs in zip((w1, b1, w2, b2), shown.get(step + 1, ()), strict=False):
            np.testing.assert_allclose(mine, theirs, rtol=1e-12)
