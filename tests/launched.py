"""Commands in processes of their own, with MPI or without."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["DEADLINE", "command", "environment", "run"]

TESTS = Path(__file__).parent
#: for one that hangs
DEADLINE = 240


def environment() -> dict[str, str]:
    path = os.pathsep.join([str(TESTS), str(TESTS.parent / "src")])
    return os.environ | {"PYTHONPATH": path, "CHAINRULE_NUM_THREADS": "1"}


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "chainrule", *map(str, words)]


def run(words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, capture_output=True, text=True, timeout=DEADLINE, env=environment(), check=False
    )
