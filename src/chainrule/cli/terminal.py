"""What all commands share: colour, messages, output, signals.

Everything is printed by `say`, `print_text` and the like, which make control characters in names
and data visible, so that no terminal obeys them.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

import click

from ..config import NO_COLOR
from ..showing import cell_text, visible

__all__ = ["Terminated", "graceful_signals", "print_error", "print_json", "print_path",
           "print_piece", "print_rows", "print_text", "say", "state", "use_colour",
           "warn"]  # fmt: skip


class State:
    """The options that affect every command."""

    traceback = False
    colour = "auto"
    quiet = False
    verbose = False
    progress = "auto"
    #: another process speaks for this one
    silent = False

    def reset(self) -> None:
        for name in ("traceback", "colour", "quiet", "verbose", "progress", "silent"):
            setattr(self, name, getattr(type(self), name))


state = State()


class Terminated(KeyboardInterrupt):
    """SIGTERM as an exception: training saves its state, as after Ctrl-C."""

    code = 143


def use_colour() -> bool | None:
    """Whether output is coloured; None lets click look for a terminal.

    ``--color`` takes precedence over NO_COLOR, which takes it over FORCE_COLOR, then TERM=dumb.
    """
    if state.colour != "auto":
        return state.colour == "always"
    if NO_COLOR.read():
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return False if os.environ.get("TERM") == "dumb" else None


def say(text: str, label: str = "", **style: Any) -> None:
    """Prints a message on stderr, in a click ``style``, or after a label in that style.

    If it cannot be written, the work goes on without it.
    """
    if state.silent:
        return
    plain = visible(text)
    styled = f"{click.style(label, **style)} {plain}" if label else click.style(plain, **style)
    with suppress(OSError):
        click.echo(styled if style else plain, err=True, color=use_colour())


def warn(text: str) -> None:
    """Prints a warning on stderr."""
    say(f"! {text}", fg="yellow")


def print_error(text: str) -> None:
    """Prints an error on stderr."""
    say(text, "error:", fg="red", bold=True)


def print_text(text: str, end: str = "\n") -> None:
    """Prints text on stdout."""
    click.echo(visible(text) + end, nl=False)


def print_piece(text: str) -> None:
    """Prints a part of a text on stdout, at once; as it is unless it goes to a terminal."""
    click.echo(visible(text) if sys.stdout.isatty() else text, nl=False)
    sys.stdout.flush()


def print_json(value: Any, indent: int | None = 2) -> None:
    """Prints a value as JSON on stdout."""
    from ..runs.folder import json_text

    click.echo(json_text(value, indent=indent))


def print_path(path: object, err: bool = False) -> None:
    """Prints a path on stdout, byte for byte unless it goes to a terminal."""
    stream = sys.stderr if err else sys.stdout
    click.echo(visible(str(path)) if stream.isatty() else os.fsencode(str(path)), err=err)


def print_rows(rows: Sequence[Sequence[str]], err: bool = False, bold: int | None = None) -> None:
    """Prints rows, the first of which holds the headings: with rich on a terminal, otherwise in
    aligned columns that tools can cut. The column ``bold`` is printed in bold.
    """
    table = [[cell_text(cell) for cell in row] for row in rows]
    if (sys.stderr if err else sys.stdout).isatty() and use_colour() is not False:
        from rich.console import Console
        from rich.table import Table

        grid = Table(*table[0], box=None, padding=(0, 2, 0, 0))
        for i, column in enumerate(grid.columns):
            column.style = "bold" if i == bold else ""
        for row in table[1:]:
            grid.add_row(*row)
        # Without markup: "[/b]" may be a name.
        Console(stderr=err, highlight=False, markup=False, emoji=False).print(grid)
        return
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    for row in table:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip(), err=err)


@contextmanager
def graceful_signals() -> Iterator[None]:
    """Inside, the first SIGINT or SIGTERM raises, and the second ends the process at once."""

    def first(number: int, frame: FrameType | None) -> NoReturn:
        signal.signal(signal.SIGINT, second)
        signal.signal(signal.SIGTERM, second)
        raise (KeyboardInterrupt if number == signal.SIGINT else Terminated)()

    def second(number: int, frame: FrameType | None) -> None:
        with suppress(OSError):
            sys.stderr.flush()
        os._exit(130 if number == signal.SIGINT else Terminated.code)

    previous = [(n, signal.signal(n, first)) for n in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield
    finally:
        for number, handler in previous:
            signal.signal(number, handler)
