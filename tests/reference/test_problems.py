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
    optimizers = load("optimizers")
    fixed = {key: np.array(value) for key, value in optimizers["problem"].items()}
    a, b, w, m = (fixed[key] for key in ("A", "b", "w", "M"))
    plain = optimizers["cases"][0]
    assert plain["name"] == "SGD"
    assert plain["kwargs"] == {"lr": 0.05}
    for expected_w, expected_m in zip(plain["w"], plain["M"], strict=True):
        dw = a.T @ (a @ w - b) - np.sin(w) + m.sum() / 10
        dm = m**3 + w.sum() / 10
        w, m = w - 0.05 * dw, m - 0.05 * dm
        np.testing.assert_allclose(w, expected_w, rtol=1e-12)
        np.testing.assert_allclose(m, expected_m, rtol=1e-12)
