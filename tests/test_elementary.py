"""exp and log of doubles: exact to the last digit, and the same on every processor."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mpmath import mp, mpf

from chainrule.elementary import Doubles, asinh, exp, log, log1p, sigmoid, sinh

PACKAGE = Path(__file__).parent.parent / "src" / "chainrule"
#: of NumPy, and chosen by the processor
CHOSEN = (
    r"np\.(exp|exp2|expm1|log|log2|log10|log1p|logaddexp|power|float_power|cbrt|hypot|sin|cos|tan"
    r"|sinh|cosh|tanh|arcsin|arccos|arctan|arctan2|arcsinh|arccosh|arctanh)\b"
)
#: what may use them all the same
REASONS = {
    "ops/": "the meaning of primitives: eager code computes in NumPy, and the manual says so",
    "schedule/simulate.py": "compares programs with that meaning",
    "microscope/": "explains to a few digits what a program has computed",
    "sklearn/": "answers in the terms of scikit-learn, which computes in NumPy",
    "train/diagnosis/": "draws pictures, and compares a loss with a guess",
    "nn/decoding.py": "orders transcripts by sums of a few terms at a time",
    "nn/audio.py": "tables of waves, rounded to single precision",
    "nn/positions.py": "tables of waves, rounded to single precision",
}


def numbers(low: float, high: float, count: int = 500) -> Doubles:
    """The same on every processor, unlike what is drawn from a distribution."""
    return low + (high - low) * (np.arange(count) * 7919 % count) / count


def worst(f: Callable[[Doubles], Doubles], true: Callable[[mpf], mpf], xs: Doubles) -> float:
    """The largest error in units of the last place."""
    with mp.workprec(120):
        exact = [true(mpf(float(x))) for x in xs]
        return max(
            float(abs(mpf(float(y)) - t) / mpf(float(np.spacing(abs(float(t))))))
            for y, t in zip(f(xs), exact, strict=True)
        )


def test_log_is_exact_to_one_unit() -> None:
    near_one = 1 + numbers(-1e-8, 1e-8, 501)
    for xs in (numbers(1e-16, 1), numbers(0.5, 2), 2.0 ** np.arange(-1074, 1024), near_one):
        assert worst(log, mp.log, xs) < 1


def test_exp_is_exact_to_one_unit() -> None:
    for xs in (numbers(-1, 1), numbers(-745, 709.78), numbers(-1e-8, 1e-8)):
        assert worst(exp, mp.exp, xs) < 1


def test_log1p_sinh_and_asinh_are_exact_to_a_few_units() -> None:
    for xs in (numbers(-0.99, 3)[1:], numbers(-1e-9, 1e-9, 501), numbers(1, 700)):
        assert worst(log1p, mp.log1p, xs) < 1.5
        assert worst(sinh, mp.sinh, xs) < 4
        assert worst(asinh, mp.asinh, xs) < 2


def test_sigmoid_is_as_exact_as_its_logarithm() -> None:
    """Whose last unit is so many times as large as it is."""
    for low, high in ((-2.0, 40.0), (-20.0, -2.0), (-200.0, -20.0)):
        assert worst(sigmoid, lambda x: 1 / (1 + mp.exp(-x)), numbers(low, high)) < 2 - low


def test_ends() -> None:
    ends = np.array([0.0, -0.0, 1, -1, np.inf, -np.inf, np.nan, 5e-324])
    nan, inf = np.nan, np.inf
    expected = [-inf, -inf, 0, nan, inf, nan, nan, -744.4400719213812]
    np.testing.assert_array_equal(log(ends), expected)
    found = exp([0.0, inf, -inf, nan, 709.8, -745.2, -745.1, 1e300, -1e300])
    np.testing.assert_array_equal(found, [1, inf, 0, nan, inf, 0, 5e-324, inf, 0])
    np.testing.assert_array_equal(sigmoid([0.0, inf, -inf, nan, -1e300]), [0.5, 1, 0, nan, 0])
    np.testing.assert_array_equal(log1p([-1.0, -2.0, inf, nan]), [-inf, nan, inf, nan])
    np.testing.assert_array_equal(sinh([0.0, inf, -inf, nan, -800]), [0, inf, -inf, nan, -inf])
    np.testing.assert_array_equal(asinh([0.0, inf, -inf, nan]), [0, inf, -inf, nan])
    assert (log(1.0).shape, exp([]).shape, log([[2.0]]).shape) == ((), (0,), (1, 1))


@pytest.mark.parametrize(
    ("f", "low", "high", "digest"),
    [
        (log, 1e-16, 1.0, "02705afe89e146e3"),
        (exp, -700.0, 0.0, "1aa8a14a8b86227f"),
        (sigmoid, -40.0, 40.0, "adc2df135d9dd5d2"),
    ],
)
def test_bits(f: Callable[[Doubles], Doubles], low: float, high: float, digest: str) -> None:
    """Those of every processor: the hash was made on one with AVX-512."""
    found = np.ascontiguousarray(f(numbers(low, high, 10_007)), "<f8")
    assert hashlib.sha256(found.tobytes()).hexdigest()[:16] == digest


def test_no_result_depends_on_functions_that_differ_between_processors() -> None:
    users = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        code = "\n".join(
            line for line in path.read_text(encoding="utf-8").splitlines() if ">>>" not in line
        )
        if re.search(CHOSEN, code):
            users.add(next((reason for reason in REASONS if name.startswith(reason)), name))
    assert users == set(REASONS)
