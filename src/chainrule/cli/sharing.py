"""A command that several processes run together, because ``mpiexec`` started them.

Worker 0 writes and speaks. What goes wrong for all is said once; what goes wrong for one, by that
one, and ends all of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from ..distributed import environment
from .terminal import state

__all__ = ["leave", "shared"]

#: seconds that a worker waits for the others after an error of its own, and after a signal, when
#: worker 0 writes what there is
AFTER_ERROR, AFTER_SIGNAL = 5.0, 60.0


@contextmanager
def shared() -> Iterator[Any]:
    """Inside, trainings are shared with the processes that were started together; gives them, or
    None if there is one only."""
    rank, size = environment()
    if size < 2:
        yield None
        return
    from ..distributed import mpi
    from ..train.workers import sharing

    state.silent = rank > 0
    workers = mpi()
    with sharing(workers):
        yield workers


def leave(code: int, say: Any) -> NoReturn:
    """Ends the process, and the others with it if they go on; ``say()`` tells what went wrong, if
    that was not said yet."""
    module = sys.modules.get("chainrule.distributed.mpi_workers")
    if module is None or not module.mpi.cache_info().currsize:
        sys.exit(code)
    workers = module.mpi()
    interrupted = code in (130, 143)
    if code and not workers.leave(AFTER_SIGNAL if interrupted else AFTER_ERROR):
        state.silent = False
        if workers.rank:
            say()
        workers.abort("", code)
    workers.close()
    sys.exit(code)
