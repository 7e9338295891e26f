"""The group of all commands, and what happens to their errors.

stdout is data, stderr is talk, which may be lost: where it cannot be written, work goes on. Exit
codes:

    0    done
    1    a gate (``eval --min``) or a check failed, or ``find-lr`` found nothing
    2    wrong usage, settings or data; a file or folder that cannot be used
    3    training failed, or Chainrule has a defect
    130  interrupted (Ctrl-C), 143 ended by a signal; ``train`` saves a checkpoint before
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, TextIO

import click

from ..errors import ChainruleError
from ..version import __version__
from .check import check
from .config import config
from .evaluate import evaluate
from .find_lr import find_lr
from .info import info
from .init import init
from .predict import predict
from .report import report
from .resume import resume
from .runs import runs
from .terminal import Terminated, complain, say, state, tell
from .train import train

__all__ = ["app", "main"]

CLOSED_PIPE = 141  # what a shell reports when the reader of a pipe went away
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EIO)


class ClosedPipeError(Exception):
    """BrokenPipeError under a name that click does not turn into exit code 1."""


class Guard:
    """Inside, every error becomes a message and an exit code; ``--traceback`` lets it through."""

    code = 0

    def __enter__(self) -> Guard:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> bool:
        if error is None or isinstance(error, SystemExit):
            return False
        if state.traceback and not isinstance(error, click.exceptions.Exit | click.Abort):
            return False
        self.code = self.handle(error)
        return True

    def handle(self, error: BaseException) -> int:
        """Says what happened; returns the exit code."""
        if isinstance(error, click.exceptions.Exit):
            return int(error.exit_code)
        if isinstance(error, click.exceptions.NoArgsIsHelpError):
            say(error.format_message())
            return error.exit_code
        if isinstance(error, click.ClickException):
            complain(usage_text(error))
            return error.exit_code
        if isinstance(error, ChainruleError):
            complain(str(error))
            return error.exit_code
        if isinstance(error, KeyboardInterrupt | click.Abort):
            # click turns the interrupt into an Abort and keeps it as the cause.
            ended = isinstance(error.__cause__ or error, Terminated)
            say("terminated by a signal" if ended else "interrupted")
            return Terminated.code if ended else 130
        if isinstance(error, ClosedPipeError):
            forget(sys.stdout)
            return CLOSED_PIPE
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            complain(f"cannot write the output: {error.strerror}\n  help:  free some disk space")
            forget(sys.stdout)
            return 2
        if isinstance(error, MemoryError):
            complain("out of memory\n  help:  select fewer rows or columns with --query")
            return 3
        complain(defect_text(error))
        return 3


def forget(stream: TextIO) -> None:
    """What is left in the buffer must not raise again when Python closes ``stream``."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def end_talk() -> None:
    """Talk that could not be written is no reason for another exit code."""
    try:
        sys.stderr.flush()
    except OSError:
        forget(sys.stderr)


def open_closed_streams() -> None:
    """A stream that was closed before the start is None; nothing is to be read or heard there.

    The new one takes the free descriptor, which else the next file would have.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - for the whole process


def usage_text(error: click.ClickException) -> str:
    """A mistake in the command as our errors look, with the command that helps."""
    text = error.format_message()
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "chainrule"
    return f"{text}\n  help:  {path} --help"


def defect_text(error: BaseException) -> str:
    """An error that nobody expected: how to see more and where to send it."""
    return (
        f"{type(error).__name__}: {error}\n"
        "  where: inside Chainrule; this is a bug in it, not a mistake of yours\n"
        "  help:  run the command again with --traceback and report what it prints, together "
        "with the output of `chainrule info --json`"
    )


class Commands(click.Group):
    """Commands in the order of their use; errors go through the `Guard`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except BrokenPipeError:
            raise ClosedPipeError from None

    # click declares two overloads, with and without standalone mode; here both end the process.
    def main(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> NoReturn:
        state.reset()
        guard = Guard()
        with guard:
            given = list(sys.argv[1:] if args is None else args)
            state.traceback = "--traceback" in given
            result = super().main(given, prog_name or "chainrule", standalone_mode=False, **extra)
            guard.code = result if isinstance(result, int) else 0
        end_talk()
        sys.exit(guard.code)


def show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        tell(f"chainrule {__version__}")
        ctx.exit()


EPILOG = """\b
Examples:
  chainrule train heart
  chainrule init sales.parquet --target price
  chainrule check run.toml
  chainrule train run.toml train.lr=0.003
  chainrule train photos
  chainrule predict last new.csv -o out.csv
"""


@click.group(
    cls=Commands,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=show_version,
    help="Show the version and exit.",
)  # fmt: skip
@click.option(
    "--traceback", is_flag=True, expose_value=False, help="Show the Python traceback of an error."
)
def app() -> None:
    """Train neural networks on tables or images, evaluate them, and predict with them.

    The kind of data is recognised; every setting has a default.
    """


for command in (init, check, find_lr, train, resume, predict, evaluate, report, runs, config, info):
    app.add_command(command)


def main() -> None:
    """The entry point ``chainrule``."""
    open_closed_streams()
    app.main()
