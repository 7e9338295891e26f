"""Starting workers with the ``mpiexec`` that belongs to the MPI package, and what to say if one of
them ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from ..errors import ConfigError

__all__ = ["QUIET", "find_mpiexec", "launch"]

#: where MPICH is told to say nothing of an end that we have words for; "1" says that `launch` has
QUIET = "MPIR_CVAR_SUPPRESS_ABORT_MESSAGE"


def find_mpiexec() -> str:
    """That of the environment which runs this, or else of the system. ConfigError without one."""
    beside = Path(sys.executable).parent
    found = shutil.which("mpiexec", path=str(beside)) or shutil.which("mpiexec")
    if found is None:
        raise ConfigError(
            "there is no mpiexec",
            help="pip install 'chainrule[mpi]', or load your cluster's MPI",
        )
    return found


def launch(workers: int, arguments: Sequence[str]) -> int:
    """``mpiexec -n workers chainrule arguments``: its exit code.

    SIGINT and SIGTERM go on to the workers. If these then fail, it is by that signal: where some
    have not begun, or others wait for them, ``mpiexec`` mixes the bits of several exit codes.
    """
    command = [find_mpiexec(), "-n", str(workers), sys.executable, "-m", "chainrule", *arguments]
    environment = dict(os.environ)
    # Workers on one machine share its processors.
    share = max(1, len(os.sched_getaffinity(0)) // workers)
    environment.setdefault("CHAINRULE_NUM_THREADS", str(share))
    environment[QUIET] = "1"
    asked: list[int] = []
    waiting: deque[int] = deque()
    started: list[subprocess.Popen[bytes]] = []

    def deliver() -> None:
        while started:
            try:
                number = waiting.popleft()
            except IndexError:  # also where a signal has interrupted this to deliver itself
                return
            started[0].send_signal(number)

    def forward(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        waiting.append(number)
        deliver()

    # Before there are workers: a signal that came as they start would end this process alone.
    before = [(n, signal.signal(n, forward)) for n in (signal.SIGINT, signal.SIGTERM)]
    try:
        started.append(subprocess.Popen(command, env=environment, start_new_session=True))
        deliver()
        code = started[0].wait()
    finally:
        for number, handler in before:
            signal.signal(number, handler)
    return 128 + asked[0] if asked and code else code


def killed(code: int) -> bool:
    """Whether an exit code of ``mpiexec`` says that a signal ended a worker."""
    return code not in (0, 1, 2, 3, 130, 143)
