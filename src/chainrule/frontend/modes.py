"""What holds for the running thread: the trace being recorded, and tracking of gradients."""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from ..ir.graph import Location

if TYPE_CHECKING:
    from .tensor import Tensor
    from .tracer import Trace

P = ParamSpec("P")
R = TypeVar("R")
_PACKAGE = str(Path(__file__).parent.parent) + os.sep
_COMMANDS = _PACKAGE + "cli" + os.sep


class _Thread(threading.local):
    trace: Trace | None = None
    grad: bool = True
    #: the layer being called, while a trace is recorded
    layer: str = ""
    #: what is added to the counts of random draws while a part of a batch is recorded: u32 ()
    stream: Tensor | None = None


thread = _Thread()


class _Structure:
    """``epoch`` counts changes after which an old trace may no longer say what the program says.

    Whoever changes training mode, ``requires_grad``, attributes of modules or parameter groups
    calls `touch`; compiled functions compare the number on each call.
    """

    epoch = 0
    _tokens = 0

    def touch(self) -> None:
        """A change of structure happened, for good."""
        self.epoch += 1

    def new_token(self) -> int:
        """Bits that stand for one switch: well mixed, above those that `touch` counts in."""
        self._tokens += 1
        return (hash((self._tokens, 0x9E3779B9)) & (2**64 - 1)) << 40

    def flip(self, token: int) -> None:
        """The switch of ``token`` changed sides. Flipping it back brings the old epoch back,
        so that recordings of training are good again after an evaluation.
        """
        self.epoch ^= token


structure = _Structure()


class grad_mode:  # noqa: N801 - a decorator and context manager, spelled as PyTorch does
    """Base of `no_grad` and `enable_grad`: context manager and decorator."""

    value = True

    def __init__(self) -> None:
        self._before: list[bool] = []

    def __enter__(self) -> None:
        self._before.append(thread.grad)
        thread.grad = self.value

    def __exit__(self, *error: object) -> None:
        thread.grad = self._before.pop()

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
            with type(self)():
                return function(*args, **kwargs)

        return wrapped


class no_grad(grad_mode):  # noqa: N801 - as PyTorch spells it
    """Inside, results do not require gradients: ``with no_grad(): ...`` or ``@no_grad()``."""

    value = False


class enable_grad(grad_mode):  # noqa: N801 - as PyTorch spells it
    """Inside a `no_grad`, track gradients again."""

    value = True


def is_grad_enabled() -> bool:
    """Whether results of operations on tensors that require gradients require them too."""
    return thread.grad


class paused:  # noqa: N801 - used as no_grad is
    """Inside, operations run at once although a trace is being recorded.

    For memory that outlives the step, such as an optimizer's slots at its first step. (No
    generator: one that an interrupt has stopped would put the trace back when it is collected.)
    """

    def __enter__(self) -> None:
        self._trace, thread.trace = thread.trace, None

    def __exit__(self, *error: object) -> None:
        thread.trace = self._trace


def restored(function: Callable[P, R]) -> Callable[P, R]:
    """``function``, after which the thread is as it was before.

    A signal may strike when a ``with`` ends, before its `__exit__` has done anything, and the trace
    or a `no_grad` would last for good. Nothing is called here where it could strike.
    """

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        trace, grad, layer = thread.trace, thread.grad, thread.layer
        try:
            return function(*args, **kwargs)
        finally:
            thread.trace, thread.grad, thread.layer = trace, grad, layer

    return wrapped


def here() -> Location | None:
    """The line of the user's program that is running: the first one outside this package.

    On the command line there is none, as what called is not the user's either.
    """
    frame = sys._getframe(1)
    while (ours := _is_ours(frame.f_code.co_filename)) is not None:
        if frame.f_back is None or ours == "command":
            return Location("", 0, thread.layer) if thread.layer else None
        frame = frame.f_back
    return Location(frame.f_code.co_filename, frame.f_lineno, thread.layer)


@functools.cache
def _is_ours(file: str) -> str | None:
    """What ``file`` is to this package, None if it is somebody else's.

    Remembered: every operation that is recorded asks this of all the frames above it.
    """
    if file.startswith(_COMMANDS):
        return "command"
    return "engine" if file.startswith(_PACKAGE) else None


def user_line() -> str:
    """`here` as the text of an error."""
    location = here()
    return str(location or "")
