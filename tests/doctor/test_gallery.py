"""The gallery of trainings: what is written beside them, and what the page says of it."""

from __future__ import annotations

import re
from pathlib import Path

from chainrule.doctor import RULES
from faults import FAULTS, HEALTHY, set_aside

PAGE = Path(__file__).parents[2] / "docs" / "doctor.md"


def test_every_rule_has_a_fault_and_every_diagnosis_a_rule() -> None:
    diagnoses = {code for case in FAULTS.values() for code in case.codes}
    assert diagnoses == RULES.keys()


def test_what_is_set_aside_is_a_third_of_both() -> None:
    aside = set_aside()
    assert aside <= {*FAULTS, *HEALTHY}
    for cases in (FAULTS, HEALTHY):
        assert len(aside & cases.keys()) == len(cases) // 3


def test_the_page_counts_as_many() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert f"holds {len(FAULTS)} trainings" in text
    assert f"{len(HEALTHY)} healthy ones" in text
    aside = set_aside()
    counts = re.findall(r"(\d+) of (\d+) \| \| \| \d+ of (\d+) \|", text)
    tuned = len(HEALTHY.keys() - aside)
    assert counts == [("0", str(tuned), str(len(HEALTHY.keys() & aside)))]
