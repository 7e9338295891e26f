"""``chainrule launch``: what becomes of signals and exit codes."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from chainrule.distributed import launching


def test_workers_that_end_by_ctrl_c_at_their_start_were_not_killed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """``mpiexec`` then ends with the bits of 130 and of 3, or of others."""
    started, mpiexec = tmp_path / "started", tmp_path / "mpiexec"
    mpiexec.write_text(
        f"#!/bin/sh\ntrap 'exit 131' INT\n: > {started}\nwhile :; do sleep 0.02; done\n"
    )
    mpiexec.chmod(0o755)
    monkeypatch.setattr(launching, "find_mpiexec", lambda: str(mpiexec))

    def interrupt() -> None:
        deadline = time.monotonic() + 60
        while not started.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    code = launching.launch(2, ["train"])
    thread.join()
    assert code == 130
    assert not launching.killed(code)
