"""Every schedule against PyTorch's scheduler of the same kind, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule.optim import schedule
from reference.problems import load

REFERENCE = load("schedules")
BASE: float = REFERENCE["base"]


def name_of(case: dict[str, Any]) -> str:
    return "-".join([case["name"], *(f"{k}={v}" for k, v in case["kwargs"].items())])


def made(case: dict[str, Any]) -> schedule.Schedule:
    """The schedule of a case, made from its class: no default of `make` plays a part."""
    settings = dict(case["kwargs"])
    warmup = settings.pop("warmup", 0)
    inner = schedule.SCHEDULES[case["name"]](base=BASE, **settings)  # type: ignore[call-arg]
    return schedule.Warmup(inner, warmup) if warmup else inner


@pytest.mark.parametrize("case", REFERENCE["cases"], ids=name_of)
def test_follows_pytorch(case: dict[str, Any]) -> None:
    followed = made(case)
    rates = [followed.lr_at(step) for step in range(len(case["rates"]))]
    np.testing.assert_allclose(rates, case["rates"], rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("case", REFERENCE["plateaus"], ids=name_of)
def test_plateaus_follow_pytorch(case: dict[str, Any]) -> None:
    followed, rates = made(case), []
    for value in REFERENCE["observed"]:
        before = followed.lr_at(0)
        assert followed.observe(value) == (followed.lr_at(0) < before)
        rates.append(followed.lr_at(0))
    assert rates[-1] < BASE
    np.testing.assert_allclose(rates, case["rates"], rtol=1e-12)


def test_every_schedule_has_a_reference_or_a_formula() -> None:
    compared = {case["name"] for case in REFERENCE["cases"] + REFERENCE["plateaus"]}
    assert set(schedule.SCHEDULES) - compared == {"constant", "coslog", "inverse_sqrt"}


def test_inverse_square_root_is_the_formula_of_the_paper() -> None:
    """Vaswani et al. 2017, equation 3: d_model**-0.5 · min(n**-0.5, n · warmup**-1.5)."""
    d_model, warmup = 512, 40
    peak = (d_model * warmup) ** -0.5
    followed = schedule.InverseSquareRoot(peak, warmup)
    for n in (1, 2, 39, 40, 41, 1000):
        paper = d_model**-0.5 * min(n**-0.5, n * warmup**-1.5)
        assert followed.lr_at(n - 1) == pytest.approx(paper, rel=1e-12)


def test_constant() -> None:
    assert {schedule.Constant(0.3).lr_at(step) for step in (0, 1, 10**9)} == {0.3}
