"""Which layer is being called: what errors and the lines of a graph say beside the user's line."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, DTypeError, ShapeError

if TYPE_CHECKING:
    from .module import Module


class _Calls(threading.local):
    """The modules that are being called, outermost first, and the error already located."""

    def __init__(self) -> None:
        self.modules: list[Module] = []
        self.located: BaseException | None = None
        self.watcher: Watcher | None = None
        self.step_watcher: StepWatcher | None = None


#: hears of each call of a module once it is done: the module, its arguments, its result
Watcher = Callable[["Module", tuple[Any, ...], Any], None]
#: hears of what the inputs give to each time step of a recurrent layer, forward: the layer, and a
#: Tensor [steps, rows, ...], whose gradient is all that arrives at a step, through time as well
StepWatcher = Callable[["Module", Any], None]

calls = _Calls()


@contextmanager
def watching(watcher: Watcher, step_watcher: StepWatcher | None = None) -> Iterator[None]:
    """Inside, ``watcher`` hears of every call of a module in this thread, and ``step_watcher`` of
    the time steps of recurrent layers."""
    before = calls.watcher, calls.step_watcher
    calls.watcher, calls.step_watcher = watcher, step_watcher
    try:
        yield
    finally:
        calls.watcher, calls.step_watcher = before


def locate(error: ShapeError | DTypeError | ConfigError) -> None:
    """Add the innermost module that is being called to the place of ``error``, once."""
    if calls.located is error:
        return
    calls.located = error
    name = calling_name()
    place = f"{name} at {error.where}" if error.where else name
    type(error).__init__(error, error.what, where=place, help=error.help)


def calling_name() -> str:
    """The kind and path of the innermost module that is being called."""
    path = calling_path()
    return type(calls.modules[-1]).__name__ + (f" `{path}`" if path else "")


def calling_path() -> str:
    """The path, from the outermost module that is being called, of the innermost."""
    parts = [
        next((name for name, module in outer.named_modules() if module is inner), "")
        for outer, inner in zip(calls.modules, calls.modules[1:], strict=False)
    ]
    return ".".join(p for p in parts if p)
