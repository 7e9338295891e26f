"""The gallery, diagnosed: how many faults are found, and how often healthy trainings are blamed.

    PYTHONPATH=tests python -m faults                 # those that rules may be tuned on
    PYTHONPATH=tests python -m faults --set-aside     # those that none was tuned on
    PYTHONPATH=tests python -m faults NAME ...        # some, with all that is said

Exits with 1 if too few faults are found, or too many healthy trainings are blamed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import chainrule as cr
from chainrule.doctor import FAMILIES, Diagnosis, evidence_of, evidence_of_run, examine_evidence

from . import FAULTS, HEALTHY, Case, set_aside

#: shares that have to be found, in the right family and with the right code, and of healthy
#: trainings that may be blamed
FOUND, RIGHT, BLAMED = 0.95, 0.77, 0.01


@dataclass(frozen=True)
class Outcome:
    """What the doctor said of a case; a remark alone blames nobody."""

    case: Case
    said: tuple[Diagnosis, ...]

    @property
    def codes(self) -> list[str]:
        return [d.code for d in self.said]

    @property
    def found(self) -> bool:
        """Something of the right family."""
        return any(code[:2] == c[:2] for code in self.codes for c in self.case.codes)

    @property
    def right(self) -> bool:
        return any(code in self.case.codes for code in self.codes)

    @property
    def blamed(self) -> bool:
        return any(d.severity != "info" for d in self.said)


def outcome(case: Case) -> Outcome:
    """Trains, and asks the doctor."""
    with tempfile.TemporaryDirectory() as folder:
        made = case.program(Path(folder))
        if isinstance(made, Path):
            evidence = evidence_of_run(made)
        else:
            evidence = getattr(made, "evidence", None) or evidence_of(
                made, str(getattr(made, "failure", ""))
            )
    return Outcome(case, tuple(examine_evidence(evidence)))


def table(outcomes: Iterable[Outcome]) -> tuple[list[str], bool]:
    """Rows of Markdown by family, and whether all floors are met."""
    ill = [o for o in outcomes if o.case.codes]
    well = [o for o in outcomes if not o.case.codes]
    rows = ["| Family | faults | found | right diagnosis |", "|---|---|---|---|"]
    for family, name in FAMILIES.items():
        own = [o for o in ill if o.case.family == family]
        if own:
            found, right = sum(o.found for o in own), sum(o.right for o in own)
            rows.append(f"| {name} | {len(own)} | {found} | {right} |")
    found, right = sum(o.found for o in ill), sum(o.right for o in ill)
    blamed = sum(o.blamed for o in well)
    rows.append(f"| all | {len(ill)} | {found} ({_percent(found, ill)}) | {right} "
                f"({_percent(right, ill)}) |")  # fmt: skip
    rows.append(f"\n{blamed} of {len(well)} healthy trainings blamed")
    met = (
        found >= FOUND * len(ill)
        and right >= RIGHT * len(ill)
        and blamed <= max(BLAMED * len(well), 1)
    )
    return rows, met


def _percent(count: int, of: list[Outcome]) -> str:
    return f"{100 * count / len(of):.0f} %" if of else "-"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--set-aside", action="store_true", help="those that no rule was tuned on")
    options = parser.parse_args()
    cr.set_num_threads(1)
    cases, aside = {**FAULTS, **HEALTHY}, set_aside()
    names = options.names or [n for n in cases if (n in aside) == options.set_aside]
    outcomes = []
    for name in names:
        done = outcome(cases[name])
        outcomes.append(done)
        wrong = not done.right if done.case.codes else done.blamed
        if wrong or options.names:
            expected = " or ".join(done.case.codes) or "nothing"
            print(f"{name}: expected {expected}, said {' '.join(done.codes) or 'nothing'}",
                  flush=True)  # fmt: skip
        if options.names:
            print("\n".join(map(str, done.said)))
    rows, met = table(outcomes)
    print("\n".join(rows))
    sys.exit(0 if met or options.names else 1)


if __name__ == "__main__":
    main()
