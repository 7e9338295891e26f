"""``chainrule launch``: what becomes of signals and exit codes."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from chainrule.distributed import launching


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """What an ``mpiexec`` makes as soon as it is ready; interrupted, it ends with the bits of 130
    and of 3, or of others."""
    started, mpiexec = tmp_path / "started", tmp_path / "mpiexec"
    mpiexec.write_text(
        f"#!/bin/sh\ntrap 'exit 131' INT\n: > {started}\nwhile :; do sleep 0.02; done\n"
    )
    mpiexec.chmod(0o755)
    monkeypatch.setattr(launching, "find_mpiexec", lambda: str(mpiexec))
    return started


def interrupt_when(started: Path) -> None:
    deadline = time.monotonic() + 60
    while not started.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)


def test_workers_that_end_by_ctrl_c_at_their_start_were_not_killed(started: Path) -> None:
    thread = threading.Thread(target=interrupt_when, args=(started,))
    thread.start()
    code = launching.launch(2, ["train"])
    thread.join()
    assert code == 130
    assert not launching.killed(code)


def test_ctrl_c_reaches_workers_that_are_just_being_started(
    started: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before `launch` knows their process: they may not stay behind."""
    popen, processes = subprocess.Popen, []

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        processes.append(popen(*args, **kwargs))
        interrupt_when(started)
        return processes[0]

    monkeypatch.setattr(launching.subprocess, "Popen", interrupted)
    assert launching.launch(2, ["train"]) == 130
    assert processes[0].poll() == 131
