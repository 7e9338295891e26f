"""Trainings in haste, for tests of what surrounds a training.

LLVM spends little on their programs, whose bits are those of all others (`tests/test_fuzz.py`
compares them). The code that users run is compared with the interpreter in `tests/nn`,
`tests/test_compared.py` and the documents' programs.

And where nobody says how large batches are, they are nearly as usual, and fill the rows: that
spares the program of a smaller last one, which costs as much as the other. Last ones that are
smaller are for `tests/train`, and for tables whose rows have no such divisor. Nor is anything
observed that is due by the usual clock alone, which a slow machine compiles another program for.

Tables get one small network where nobody names a preset; the usual one has tests of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

__all__ = ["cheap_programs", "hasty", "surrounds_trainings", "uses_programs"]

TESTS = Path(__file__).parent
#: of tests that are about runs, commands and pages, and not about code
FOLDERS = ("cli", "modalities", "report", "runs", "sklearn", "tasks", "train", "tuning")
#: of tests in which a program is a means, whatever trains
USERS = ("dash", "data", "distributed", "doctor", "microscope", "optim")
#: compare with processes that they start, which take their time
OTHERS = ("test_processes.py", "test_resume.py", "test_memory.py", "test_digits.py")


def surrounds_trainings(path: Path) -> bool:
    """Whether the tests of a file are content with programs in haste."""
    return path.relative_to(TESTS).parts[0] in FOLDERS and path.name not in OTHERS


def uses_programs(path: Path) -> bool:
    """Whether the tests of a file are content with programs that LLVM spent little on."""
    return path.relative_to(TESTS).parts[0] in USERS and path.name not in OTHERS


def filling(usual: int, rows: int) -> int:
    """The size nearest to ``usual`` that divides ``rows``; ``usual`` if there is none near it."""
    near = [n for n in range(usual // 2 + 1, usual * 3 // 2) if rows % n == 0]
    return min(near, key=lambda n: abs(n - usual), default=usual)


@contextmanager
def cheap_programs() -> Iterator[None]:
    """Inside, LLVM spends little on the programs of this process."""
    from chainrule import driver

    compile_graph = driver.compile_graph

    def in_haste(
        graph: driver.Graph, layout: driver.InputLayout, options: driver.Options = driver.DEFAULT
    ) -> driver.Compiled:
        return compile_graph(graph, layout, replace(options, hasty=True))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driver, "compile_graph", in_haste)
        yield


@contextmanager
def hasty() -> Iterator[None]:
    """Inside, this process trains in haste."""
    from chainrule.modalities.tables.settings import Settings
    from chainrule.runs.settings import defaults
    from chainrule.train.observation.observer import Observer
    from chainrule.train.observation.plan import Observe
    from chainrule.train.run import Run

    batch_size_for, time_has_come = defaults.batch_size_for, Observer._time_has_come

    def asked_for(observer: Observer, run: Run) -> bool:
        return observer.plan.every != Observe.every and time_has_come(observer, run)

    with cheap_programs(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(Settings, "USUAL_PRESET", "fast")
        patch.setattr(
            defaults,
            "batch_size_for",
            lambda rows, optimizer: filling(batch_size_for(rows, optimizer), rows),
        )
        patch.setattr(Observer, "_time_has_come", asked_for)
        yield
