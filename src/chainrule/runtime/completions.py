"""How far a running program is: told by its code, and waited for by a thread beside it."""

from __future__ import annotations

import os
import weakref

from .store import write_address

__all__ = ["Completions"]


class Completions:
    """Counts groups of outputs that are complete: one waits for them, others tell.

    It is a pipe, whose bytes count, so that whoever waits sleeps until native code wakes it; no
    lock of the interpreter is asked for. ``function`` is what native code calls, as the `write` of
    the system, with ``file``; 0 where there is no such function.
    """

    def __init__(self) -> None:
        self._heard, self.file = os.pipe()
        self.function = write_address()
        weakref.finalize(self, _close, self._heard, self.file)

    def tell(self, count: int) -> None:
        """So many more are complete."""
        os.write(self.file, bytes(count))

    def wait(self) -> None:
        """Until one more is complete."""
        os.read(self._heard, 1)


def _close(*files: int) -> None:
    for file in files:
        os.close(file)
