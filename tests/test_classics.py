"""The classic problems reach what the pages say, for every seed.

No seed is trained twice: tables and commands of `docs/classics.md`, commands on other pages, and
the comparison with logistic regression in the README are about the same trainings.
"""

from __future__ import annotations

import functools
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "classics.md").read_text(encoding="utf-8")
PAGES = "".join(p.read_text(encoding="utf-8") for p in sorted((ROOT / "docs").glob("*.md")))
README = (ROOT / "README.md").read_text(encoding="utf-8")


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec
    assert spec.loader
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


classics = example("classics")
BY_NAME = {classic.name: classic for classic in classics.CLASSICS}


@functools.cache
def score(name: str, seed: int) -> float:
    return float(BY_NAME[name].score(seed))


def scores_of(name: str) -> list[float]:
    return [score(name, seed) for seed in classics.SEEDS]


def stated(name: str) -> tuple[float, float, float]:
    """What the page's table says: at least, lowest, mean."""
    [row] = re.findall(rf"^\| \[?`{name}`.*\|$", PAGE, re.MULTILINE)
    least, lowest, mean = (float(cell) for cell in row.strip("| ").split("|")[-3:])
    return least, lowest, mean


@pytest.mark.parametrize("classic", classics.CLASSICS, ids=lambda classic: classic.name)
def test_every_seed_reaches_what_the_page_states(classic: classics.Classic) -> None:
    scores = scores_of(classic.name)
    least, lowest, mean = stated(classic.name)
    assert least == classic.least
    assert min(scores) >= least
    assert lowest == pytest.approx(min(scores), abs=0.01)  # a row or two of the test rows
    assert mean == pytest.approx(np.mean(scores), abs=0.01)


def printed() -> list[tuple[str, str, str]]:
    """Each command on a page that trains with all seeds: its table, its words, its output."""
    found = re.findall(r"^\$ chainrule train (\S+)([^\n]*) --seeds 5\n(.*?)```", PAGES, re.M | re.S)
    assert {name for name, _, _ in found} == {"heart", "breast_cancer", "diabetes"}
    return found


@pytest.mark.parametrize(("name", "words", "output"), printed())
def test_commands_with_all_seeds_print_the_same(name: str, words: str, output: str) -> None:
    """`tests/test_documents.py` leaves them out. Each seed has its own split, as alone."""
    words = words.replace(" data.split_seed=seed", "")
    assert f"`chainrule train {name}{words} --seed N`" in str(BY_NAME[name].score.__doc__)
    [row] = re.findall(rf"^{BY_NAME[name].metric} +(.*)$", output, re.MULTILINE)
    scores = scores_of(name)
    expected = [np.mean(scores), np.std(scores, ddof=1), min(scores), max(scores)]
    assert [float(cell) for cell in row.split()] == pytest.approx(expected, rel=1e-3)


def test_the_comparison_with_logistic_regression_is_level(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    comparison = example("heart_versus_logistic")
    assert comparison.network_accuracy("heart", 0) == score("heart", 0)
    monkeypatch.setattr(comparison, "network_accuracy", score)
    monkeypatch.setattr(sys, "argv", ["heart_versus_logistic.py"])
    comparison.main()
    found = re.search(r"mean paired difference: (\S+) points", capsys.readouterr().out)
    assert found
    assert float(found[1]) >= -0.5
    assert f"{found[1]} points of test accuracy" in README


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
