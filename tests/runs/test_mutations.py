"""Thirty damaged run folders; ``make mutate`` makes two thousand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import chainrule.driver  # noqa: F401 - compiled functions run natively
from interpreting import interpreting
from runs.mutations import Subject, mutated, prepared

COUNT, AT_ONCE = 30, 10


@pytest.fixture(scope="module", autouse=True)
def _interpreted() -> Iterator[None]:
    """It is about files, not about the code of networks."""
    with interpreting():
        yield


@pytest.fixture(scope="module")
def subjects(tmp_path_factory: pytest.TempPathFactory) -> list[Subject]:
    return prepared(tmp_path_factory.mktemp("intact") / "runs")


def test_intact_runs_say_the_same_twice(subjects: list[Subject]) -> None:
    """Else nothing below would mean anything."""
    for subject in subjects:
        assert "an error in words" not in subject.expected.values()
        assert not any(type(result).__name__ == "Crash" for result in subject.expected.values())


@pytest.mark.parametrize("first", range(0, COUNT, AT_ONCE))
def test_damage_neither_crashes_nor_passes_in_silence(
    first: int, subjects: list[Subject], tmp_path: Path
) -> None:
    for number in range(first, first + AT_ONCE):
        outcome = mutated(subjects, number, tmp_path)
        assert not outcome.crashes, f"{number} {outcome.damage}: {outcome.crashes[0]}"
        assert not outcome.silent, f"{number} {outcome.damage}: {outcome.silent}"
