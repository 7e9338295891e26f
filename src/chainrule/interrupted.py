"""What a handler of a signal raises during a query, which DuckDB would replace."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["interruptible"]

Handler = Callable[[int, FrameType | None], Any]


@contextmanager
def interruptible() -> Iterator[None]:
    """Inside, an exception of a signal's handler, such as KeyboardInterrupt, ends a query and goes
    on from here. DuckDB by itself raises a RuntimeError in its place, "Query interrupted"."""
    if threading.current_thread() is not threading.main_thread():
        yield  # no handler runs in this thread
        return
    raised: list[BaseException] = []
    before: dict[int, tuple[Handler, Handler]] = {}
    try:
        for number in signal.valid_signals():
            handler = signal.getsignal(number)
            if callable(handler):
                before[number] = (handler, _remembering(handler, raised))
                signal.signal(number, before[number][1])
        yield
    except Exception:
        if raised:
            raise raised[-1] from None
        raise
    finally:
        for changed, (handler, ours) in before.items():
            if signal.getsignal(changed) is ours:  # a handler may have put another in its place
                signal.signal(changed, handler)


def _remembering(handler: Handler, raised: list[BaseException]) -> Handler:
    """``handler``, with what it raises added to ``raised``."""

    def handle(number: int, frame: FrameType | None) -> Any:
        try:
            return handler(number, frame)
        except BaseException as error:
            raised.append(error)
            raise

    return handle
