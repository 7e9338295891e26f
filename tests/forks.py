"""Children of the process that runs the tests, which have none of its other threads.

Everything that starts a fork without a program of its own comes through here: a child that waits
for a thread that it lacks is killed after a while, rather than keeping the tests waiting.
"""

from __future__ import annotations

import os
import signal
import time
import traceback
from collections.abc import Callable

__all__ = ["DEADLINE", "in_child"]

#: seconds; what takes longer hangs, on any machine
DEADLINE = 300


def in_child(work: Callable[[], object], *, deadline: float = DEADLINE) -> int:
    """The exit code of a forked process in which ``work`` is done, or minus a signal: 0, or 1 if it
    raises, which goes to stderr. AssertionError if it takes longer than ``deadline``.
    """
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException:  # told by the exit code
            traceback.print_exc()
        finally:
            os._exit(1)
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError("the child hangs")
