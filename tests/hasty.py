"""Programs that LLVM spends little on, for tests of what surrounds a training.

Their bits are those of all others (`tests/test_fuzz.py` compares them); the code that users run is
compared with the interpreter in `tests/nn`, `tests/test_compared.py` and the documents' programs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

__all__ = ["hasty", "surrounds_trainings"]

TESTS = Path(__file__).parent
#: of tests that are about runs, commands and pages, and not about code
FOLDERS = ("cli", "modalities", "report", "runs", "tasks", "train")
#: compare with processes that they start, which take their time
OTHERS = ("test_processes.py", "test_resume.py", "test_memory.py", "test_digits.py")


def surrounds_trainings(path: Path) -> bool:
    """Whether the tests of a file are content with programs in haste."""
    return path.relative_to(TESTS).parts[0] in FOLDERS and path.name not in OTHERS


@contextmanager
def hasty() -> Iterator[None]:
    """Inside, this process compiles in haste."""
    from chainrule import driver

    compile_graph = driver.compile_graph

    def in_haste(
        graph: driver.Graph, layout: driver.InputLayout, options: driver.Options = driver.DEFAULT
    ) -> driver.Compiled:
        return compile_graph(graph, layout, replace(options, hasty=True))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driver, "compile_graph", in_haste)
        yield
