"""What a killed training leaves behind: a run that goes on, or nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_killed_training_leaves_nothing_temporary(tmp_path: Path) -> None:
    """At a few steps; ``python -m runs.remains`` dies at all of them."""
    paths = f"{ROOT / 'src'}{os.pathsep}{ROOT / 'tests'}"
    done = subprocess.run(
        [sys.executable, "-m", "runs.remains", "3", "40"],
        env={**os.environ, "PYTHONPATH": paths, "CHAINRULE_CACHE_DIR": str(tmp_path / "cache")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) > 2
