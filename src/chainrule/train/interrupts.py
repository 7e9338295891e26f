"""Signals that wait until the state of a training is whole."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

__all__ = ["Interrupts"]


class Interrupts:
    """Inside ``with Interrupts() as held``, the first SIGINT or SIGTERM only sets ``pending``, and
    `deliver` then lets it do what it would have done. A second one does so at once.

    SIGTERM, which would end the process without a word, raises KeyboardInterrupt unless the program
    has a handler of its own. A signal that is still pending at the end is delivered there. Only the
    main thread of a process can do this: elsewhere nothing is changed.
    """

    def __init__(self) -> None:
        self.pending = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                before = signal.getsignal(number)
                if before is not None and before != signal.SIG_IGN:
                    self._before[number] = before
                    signal.signal(number, self._hold)
        return self

    def _hold(self, number: int, frame: FrameType | None) -> None:
        if self.pending:
            self.deliver()
        self.pending = number

    def deliver(self) -> None:
        """Raises what the pending signal stands for. Signals are as before afterwards."""
        number, self.pending = self.pending, 0
        handler = self._before.get(number)
        self._restore()
        if handler == signal.SIG_DFL:
            raise KeyboardInterrupt(signal.Signals(number).name)
        if number:
            signal.raise_signal(number)

    def _restore(self) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before.clear()

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if self.pending and kind is None:
            self.deliver()
        self._restore()
