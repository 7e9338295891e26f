"""Some of the systematic joins and splits; ``python -m systematic`` runs all of them."""

from __future__ import annotations

import pytest

from systematic import Case, cases

ALL = list(cases())


@pytest.mark.parametrize("case", ALL[::19], ids=str)
def test_a_join_is_what_the_interpreter_says(case: Case) -> None:
    case.check()


def test_there_are_enough() -> None:
    assert len(ALL) >= 500
