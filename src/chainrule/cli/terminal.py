"""What all commands share: colour, messages, signals, options that occur more than once.

Whatever is printed goes through `say`, `tell` and their like: names that others chose are made
visible there, so that a terminal does not obey them.
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

__all__ = ["Terminated", "colour", "complain", "graceful", "print_rows", "say",
           "state", "tell", "tell_json", "tell_path", "warn"]  # fmt: skip


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


def say(text: str, before: str = "", **style: Any) -> None:
    """A message on stderr, in a ``style`` of click's, or after a word in that style. Where it
    cannot be written, the work goes on without.
    """
    shown = visible(text)
    styled = f"{click.style(before, **style)} {shown}" if before else click.style(shown, **style)
    with suppress(OSError):
        click.echo(styled if style else shown, err=True, color=colour())


def warn(text: str) -> None:
    """`say` for what may be wrong."""
    say(f"! {text}", fg="yellow")


def complain(text: str) -> None:
    """`say` for an error."""
    say(text, "error:", fg="red", bold=True)


def tell(text: str, end: str = "\n") -> None:
    """Text on stdout, for people and for tools that cut lines."""
    click.echo(visible(text) + end, nl=False)


def tell_json(value: Any, indent: int | None = 2) -> None:
    """A value as JSON on stdout."""
    from ..runs.folder import json_text

    click.echo(json_text(value, indent=indent))


def tell_path(path: object, err: bool = False) -> None:
    """A path on stdout, byte for byte if it is not a terminal that reads it."""
    stream = sys.stderr if err else sys.stdout
    click.echo(visible(str(path)) if stream.isatty() else os.fsencode(str(path)), err=err)


def print_rows(rows: Sequence[Sequence[str]], err: bool = False, bold: int | None = None) -> None:
    """Rows below a first one of headings: with rich on a terminal, else aligned columns that tools
    can cut. The column ``bold`` is."""
    shown = [[cell_text(cell) for cell in row] for row in rows]
    if (sys.stderr if err else sys.stdout).isatty() and colour() is not False:
        from rich.console import Console
        from rich.table import Table

        table = Table(*shown[0], box=None, padding=(0, 2, 0, 0))
        for i, column in enumerate(table.columns):
            column.style = "bold" if i == bold else ""
        for row in shown[1:]:
            table.add_row(*row)
        # Names are no markup: "[/b]" is a name too.
        Console(stderr=err, highlight=False, markup=False, emoji=False).print(table)
        return
    widths = [max(len(row[i]) for row in shown) for i in range(len(shown[0]))]
    for row in shown:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip(), err=err)


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
