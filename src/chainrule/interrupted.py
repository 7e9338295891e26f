"""What a handler of a signal raises where something would replace it: a query, an import.

DuckDB raises a RuntimeError in place of a KeyboardInterrupt, and so does Python while it makes a
class (`type.__set_name__`, until 3.12).
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["held_off", "interruptible", "interruption"]

Handler = Callable[[int, FrameType | None], Any]


@contextmanager
def interruptible() -> Iterator[None]:
    """Inside, an exception of a signal's handler, such as KeyboardInterrupt, ends a query and goes
    on from here. DuckDB by itself raises a RuntimeError in its place, "Query interrupted"."""
    raised: list[BaseException] = []
    try:
        with _replaced(lambda handler: _remembering(handler, raised)):
            yield
    except Exception:
        if raised:
            raise raised[-1] from None
        raise


@contextmanager
def held_off() -> Iterator[None]:
    """Inside, the handlers of signals wait. What comes meanwhile is handled at the end, and what
    its handler raises is raised then."""
    holding, waiting = True, list[int]()

    def waits(handler: Handler) -> Handler:
        def note(number: int, frame: FrameType | None) -> None:
            if holding:
                waiting.append(number)
            else:  # an interrupt has kept the handler from coming back
                handler(number, frame)

        return note

    try:
        with _replaced(waits):
            yield
    finally:
        holding = False
        for number in waiting:
            handler = signal.getsignal(number)  # a handler may have put another in its place
            if callable(handler):
                handler(number, None)


@contextmanager
def _replaced(replacement: Callable[[Handler], Handler]) -> Iterator[None]:
    """Inside, each handler of a signal has its ``replacement``; not in other threads than the main
    one, where no handler runs."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[int, tuple[Handler, Handler]] = {}
    try:
        for number in signal.valid_signals():
            handler = signal.getsignal(number)
            if callable(handler):
                before[number] = (handler, replacement(handler))
                signal.signal(number, before[number][1])
        yield
    finally:
        for changed, (handler, ours) in before.items():
            if signal.getsignal(changed) is ours:  # a handler may have put another in its place
                signal.signal(changed, handler)


def interruption(error: BaseException) -> BaseException:
    """The interrupt that ``error`` was raised in place of; ``error`` itself if there is none."""
    cause: BaseException | None = error
    while isinstance(cause, Exception):
        cause = cause.__cause__
    return error if cause is None else cause


def _remembering(handler: Handler, raised: list[BaseException]) -> Handler:
    """``handler``, with what it raises added to ``raised``."""

    def handle(number: int, frame: FrameType | None) -> Any:
        try:
            return handler(number, frame)
        except BaseException as error:
            raised.append(error)
            raise

    return handle
