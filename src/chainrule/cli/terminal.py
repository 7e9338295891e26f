"""What all commands share: colour, messages, signals, options that occur more than once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

import click

from ..config import NO_COLOR

__all__ = ["Terminated", "colour", "error_text", "graceful", "missing_values", "say", "state"]


class State:
    """What the command line said about the program itself."""

    traceback = False
    colour = "auto"
    quiet = False
    verbose = False
    progress = "auto"

    def reset(self) -> None:
        for name in ("traceback", "colour", "quiet", "verbose", "progress"):
            setattr(self, name, getattr(type(self), name))


state = State()


class Terminated(KeyboardInterrupt):
    """SIGTERM, as an exception: training saves what there is, like after Ctrl-C."""

    code = 143


def colour() -> bool | None:
    """Whether output is coloured; None lets click look for a terminal.

    ``--color`` wins over NO_COLOR, that over FORCE_COLOR, that over TERM=dumb.
    """
    if state.colour != "auto":
        return state.colour == "always"
    if NO_COLOR.read():
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return False if os.environ.get("TERM") == "dumb" else None


def say(text: str) -> None:
    """A message on stderr. Where it cannot be written, the work goes on without."""
    with suppress(OSError):
        click.echo(text, err=True, color=colour())


def error_text(text: str) -> str:
    """``error: ...`` with the word in red."""
    return f"{click.style('error:', fg='red', bold=True)} {text}"


@contextmanager
def graceful() -> Iterator[None]:
    """Inside, the first SIGINT or SIGTERM raises, and a second one ends the process at once."""

    def first(number: int, frame: FrameType | None) -> NoReturn:
        signal.signal(signal.SIGINT, second)
        signal.signal(signal.SIGTERM, second)
        raise (KeyboardInterrupt if number == signal.SIGINT else Terminated)()

    def second(number: int, frame: FrameType | None) -> None:
        with suppress(OSError):
            sys.stderr.flush()
        os._exit(130 if number == signal.SIGINT else Terminated.code)

    before = [(n, signal.signal(n, first)) for n in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def missing_values(pairs: tuple[str, ...]) -> dict[str, list[str | int | float]] | None:
    """``("chol=0", "sex=?,unknown")`` as ``{"chol": [0], "sex": ["?", "unknown"]}``."""
    found: dict[str, list[str | int | float]] = {}
    for pair in pairs:
        column, mark, values = pair.partition("=")
        if not mark or not column or not values:
            raise click.BadParameter(f"{pair!r} is not COLUMN=VALUE", param_hint="--missing")
        found.setdefault(column, []).extend(_number_or_text(v) for v in values.split(","))
    return found or None


def _number_or_text(text: str) -> str | int | float:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text
