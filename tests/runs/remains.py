"""Kills trainings with SIGKILL before every step in the file system: ``python -m runs.remains``.

Nothing temporary may outlive the command that comes next, and every folder that is left must be a
run that goes on. The test suite does this at some of the steps only: ``python -m runs.remains 3
10`` begins with the third and dies at every tenth.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import chainrule as cr
from chainrule.data.tables import preprocessor, source
from chainrule.runs.listing import summarize_runs
from forks import in_child

#: events of Python that change the file system
STEPS = {"open", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate"}
ROWS = 400


def table_in(folder: Path) -> Path:
    """A table that goes to a file, as do its arrays: see `dying`."""
    path = folder / "table.csv"
    path.write_text("a,b,y\n" + "".join(f"{i % 7},{i},{i % 2}\n" for i in range(ROWS)))
    return path


def train(folder: Path) -> None:
    """A training in ``folder / "runs"``."""
    cr.fit(
        table_in(folder), "y", epochs=2, verbose=False, runs_dir=folder / "runs",
        settings=["model.layers=[2]"],
    )  # fmt: skip


def resume(folder: Path) -> None:
    """Every run in ``folder`` that was killed goes on to its end."""
    for line in summarize_runs(folder / "runs"):
        if line.status == "killed":
            cr.resume(line.path, verbose=False)


def dying(folder: Path, work: Callable[[Path], None], dies_at: int = 0) -> int:
    """Runs ``work`` in a process that has ``folder / "tmp"`` for its temporary files, and is killed
    before step ``dies_at`` in the file system. The exit code, or minus a signal.
    """
    (folder / "tmp").mkdir(exist_ok=True)
    return in_child(lambda: _mortal(folder, work, dies_at))


def _mortal(folder: Path, work: Callable[[Path], None], dies_at: int) -> None:
    steps = 0

    def count_steps(event: str, details: tuple[object, ...]) -> None:
        nonlocal steps
        # Opened to be written, or made to be removed: what is only read leaves nothing.
        if event in STEPS and not (event == "open" and details[1] in ("r", "rb")):
            steps += 1
            if steps == dies_at:
                os.kill(os.getpid(), signal.SIGKILL)

    tempfile.tempdir = str(folder / "tmp")
    source.MEMORY_BYTES = preprocessor.MEMORY_BYTES = 0
    sys.addaudithook(count_steps)
    work(folder)


def check(folder: Path) -> None:
    """Raises AssertionError if something is left that no living process needs."""
    hidden = [p for p in (folder / "runs").rglob(".*") if p.name != ".lock"]
    temporary = list((folder / "tmp").iterdir())
    assert not hidden, hidden
    assert not temporary, temporary
    for line in summarize_runs(folder / "runs"):
        assert line.status == "done", line


def kill_at(step: int) -> bool:
    """A training that is killed, the command that comes next, and whatever can go on; False if it
    ended before that step.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        code = dying(folder, train, step)
        if code == 0:
            return False
        assert code == -signal.SIGKILL, step
        others = [line for line in summarize_runs(folder / "runs") if line.status != "killed"]
        assert all(line.status == "done" for line in others), (step, others)
        assert dying(folder, train) == 0, step
        assert dying(folder, resume) == 0, step
        check(folder)
    return True


if __name__ == "__main__":
    # This process uses no database itself: its threads would not follow into the children.
    step, stride = (int(text) for text in (*sys.argv[1:], "1", "1")[:2])
    while kill_at(step):
        print(f"killed at step {step}: nothing is left", flush=True)
        step += stride
