"""The classic problems reach what `docs/classics.md` says, for every seed."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "classics.md").read_text(encoding="utf-8")


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec
    assert spec.loader
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


classics = example("classics")


def stated(name: str) -> tuple[float, float, float]:
    """What the page's table says: at least, lowest, mean."""
    [row] = re.findall(rf"^\| \[?`{name}`.*\|$", PAGE, re.MULTILINE)
    least, lowest, mean = (float(cell) for cell in row.strip("| ").split("|")[-3:])
    return least, lowest, mean


@pytest.mark.parametrize("classic", classics.CLASSICS, ids=lambda classic: classic.name)
def test_every_seed_reaches_what_the_page_states(classic: classics.Classic) -> None:
    scores = [classic.score(seed) for seed in classics.SEEDS]
    least, lowest, mean = stated(classic.name)
    assert least == classic.least
    assert min(scores) >= least
    assert lowest == pytest.approx(min(scores), abs=0.01)  # a row or two of the test rows
    assert mean == pytest.approx(np.mean(scores), abs=0.01)


def test_a_seed_is_a_run() -> None:
    assert classics.score_moons(3) == classics.score_moons(3)
    assert not np.array_equal(classics.moons(8, 0.1, 0)[0], classics.moons(8, 0.1, 1)[0])


def test_points_lie_where_they_should() -> None:
    (points, label) = classics.moons(100, 0.0, 0)
    centres = np.array([[0.0, 0.0], [1.0, 0.5]])[label]
    np.testing.assert_allclose(np.hypot(*(points - centres).T), 1.0, rtol=1e-6)
    assert (points[label == 0, 1] >= 0).all()
    assert (points[label == 1, 1] <= 0.5).all()

    (points, label) = classics.spiral(90, 0.0, 0)
    radius = np.hypot(*points.T)
    turned = np.arctan2(points[:, 0], points[:, 1]) - 4 * radius - 2 * np.pi * label / 3
    np.testing.assert_allclose(np.cos(turned), 1.0, atol=1e-6)
    assert np.bincount(label).tolist() == [30, 30, 30]


def test_no_network_without_a_hidden_layer_learns_xor() -> None:
    """Three of four is the most that a line can get right."""
    assert classics.score_xor(0, hidden=8) == 1.0
    x, label = classics.xor()
    directions = np.random.default_rng(0).normal(size=(2000, 3))
    right = ((np.c_[x, np.ones(4)] @ directions.T > 0) == label[:, None]).sum(axis=0)
    assert right.max() == 3
