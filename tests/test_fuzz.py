"""A share of ``make fuzz``, and proof that it would find what it is for.

Programs are half as long, and each is compiled in one other way; ``make fuzz`` does all to each.
A failing seed can be run alone: ``pytest tests/test_fuzz.py -k "[70]"`` runs ten from 70 on.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chainrule.errors import VerifyError
from chainrule.ir.graph import Node
from chainrule.runtime.processors import get_num_threads, set_num_threads
from chainrule.schedule import fuse, lower
from chainrule.schedule.units import Plan, Unit
from fuzz import THREADS, Case, check, others


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    before = get_num_threads()
    yield
    set_num_threads(before)


@pytest.mark.parametrize("first", range(40, 130, 10))
def test_random_programs(first: int) -> None:
    ways = others()
    for seed in range(first, first + 10):
        # Four seeds in a row are programs of four kinds.
        check(Case(seed, 9), (ways[seed // 4 % len(ways)],), THREADS)


@pytest.mark.parametrize("first", range(0, 16, 8))
def test_random_programs_whose_states_lie_otherwise(first: int) -> None:
    ways = others()
    for seed in range(first, first + 8):
        check(Case(seed, 7, turns=True), (ways[seed // 4 % len(ways)],), THREADS)


def any_writer(leaf: Node, plan: Plan) -> Unit | None:
    """As if a piece of an array were all of it: the mistake that fusion once made."""
    writers = plan.writers.get(leaf, ())
    return writers[0] if writers else None


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compiled with the mistake is never kept."""
    monkeypatch.setenv("CHAINRULE_CACHE", "0")
    monkeypatch.setattr(fuse, "_maker", any_writer)


def is_noticed(expected: type[Exception]) -> bool:
    """Whether one of the first programs of joins ends in an error of the given kind."""
    for seed in range(1, 60, 2):
        try:
            check(Case(seed), (), (1,))
        except expected:
            return True
    return False


@pytest.mark.usefixtures("broken")
def test_a_broken_fusion_is_refused_when_nests_are_made() -> None:
    assert is_noticed(VerifyError)


@pytest.mark.usefixtures("broken")
def test_a_broken_fusion_is_refused_by_the_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lower, "_check_loads", lambda nest, cluster, plan: None)
    assert is_noticed(VerifyError)


@pytest.mark.usefixtures("broken")
def test_a_broken_fusion_gives_other_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lower, "_check_loads", lambda nest, cluster, plan: None)
    monkeypatch.setenv("CHAINRULE_VERIFY", "0")
    assert is_noticed(VerifyError)
