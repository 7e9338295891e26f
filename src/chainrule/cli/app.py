"""The group of all commands, and how their errors become messages and exit codes.

stdout is for data, stderr for messages. Messages may be lost: if they cannot be written, the work
goes on. Exit codes:

    0    done
    1    a threshold (``eval --min``) or a check failed, or ``find-lr`` found no rate
    2    invalid usage, settings or data; an unusable file or folder
    3    training failed, or Chainrule has a bug
    130  interrupted (Ctrl-C); 143 terminated by a signal; ``train`` saves a checkpoint first
"""

from __future__ import annotations

import atexit
import errno
import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, TextIO

import click

from ..errors import ChainruleError
from ..interrupted import interruption
from ..version import __version__
from .check import check
from .config import config
from .dash import dash
from .doctor import doctor, explain
from .evaluate import evaluate
from .find_lr import find_lr
from .info import info
from .init import init
from .kind_commands import added_commands
from .kind_options import KindHelp
from .launch import launch
from .predict import predict
from .report import report
from .resume import resume
from .runs import runs
from .scope import scope
from .sharing import leave
from .terminal import Terminated, print_error, print_text, say, state
from .train import train
from .tune import tune

__all__ = ["app", "main"]

CLOSED_PIPE = 141  # as a shell reports a pipe whose reader is gone
#: new objects before Python looks for garbage among them, and how often that happens before it
#: looks among older ones: what is loaded at the start stays, and a search through it every 700
#: takes a tenth of the start
GARBAGE = (100_000, 4, 4)
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO)


class ClosedPipeError(Exception):
    """A BrokenPipeError that click does not turn into exit code 1."""


class Guard:
    """Inside, every error becomes a message and an exit code, unless ``--traceback`` is given."""

    code = 0
    error: BaseException | None = None

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
        self.code, self.error = self.handle(error), error
        return True

    def repeat(self) -> None:
        """Prints once more what happened, for a process that was silent."""
        if self.error is not None:
            self.handle(self.error)

    def handle(self, error: BaseException) -> int:
        """Prints what happened and returns the exit code."""
        if not isinstance(error, ChainruleError):
            error = interruption(error)  # click makes an Abort of it
        if isinstance(error, click.exceptions.Exit):
            return int(error.exit_code)
        if isinstance(error, click.exceptions.NoArgsIsHelpError):
            say(error.format_message())
            return error.exit_code
        if isinstance(error, click.ClickException):
            print_error(usage_text(error))
            return error.exit_code
        if isinstance(error, ChainruleError):
            print_error(str(error))
            return error.exit_code
        if isinstance(error, KeyboardInterrupt | click.Abort):
            terminated = isinstance(error, Terminated)
            say("terminated by a signal" if terminated else "interrupted")
            return Terminated.code if terminated else 130
        if isinstance(error, ClosedPipeError):
            discard(sys.stdout)
            return CLOSED_PIPE
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            print_error(f"cannot write the output: {error.strerror}\n  help:  free some disk space")
            discard(sys.stdout)
            return 2
        if isinstance(error, MemoryError):
            print_error("out of memory\n  help:  use less data")
            return 3
        print_error(bug_text(error))
        return 3


def discard(stream: TextIO) -> None:
    """Keeps what is left in the buffer from raising again when Python closes ``stream``."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def flush_messages() -> None:
    """Messages that cannot be written do not change the exit code."""
    try:
        sys.stderr.flush()
    except OSError:
        discard(sys.stderr)


def open_closed_streams() -> None:
    """Replaces each standard stream that was closed before the start, and so is None.

    The new one takes the free descriptor, which otherwise the next file to be opened would get.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - for the whole process


def usage_text(error: click.ClickException) -> str:
    """A usage error in the form of all errors, with the command that helps."""
    text = error.format_message()
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "chainrule"
    return f"{text}\n  help:  {path} --help"


def bug_text(error: BaseException) -> str:
    """An unexpected error, and how to report it."""
    return (
        f"{type(error).__name__}: {error}\n"
        "  where: inside Chainrule; this is a bug in it, not a mistake of yours\n"
        "  help:  run the command again with --traceback and report what it prints, together "
        "with the output of `chainrule info --json`"
    )


class Commands(KindHelp, click.Group):
    """Commands in the order in which they are used; errors go through the `Guard`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.commands, *added_commands()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = super().get_command(ctx, cmd_name)
        return own or added_commands().get(cmd_name)

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
        gc.set_threshold(*GARBAGE)
        guard = Guard()
        with guard:
            words = list(sys.argv[1:] if args is None else args)
            state.traceback = "--traceback" in words
            result = super().main(words, prog_name or "chainrule", standalone_mode=False, **extra)
            guard.code = result if isinstance(result, int) else 0
        flush_messages()
        leave(guard.code, guard.repeat)


def show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        print_text(f"chainrule {__version__}")
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
    """Train neural networks on {kinds}, evaluate them, and predict with them.

    The kind of data is recognised; every setting has a default.
    """


for command in (
    init, check, find_lr, train, tune, launch, resume, dash, doctor, explain, scope, predict,
    evaluate, report, runs, config, info,
):  # fmt: skip
    app.add_command(command)


def main() -> None:
    """The entry point ``chainrule``."""
    open_closed_streams()
    # NumPy's threads, for products of which there are none to speak of, take 15 ms to start.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # The system takes all memory back: to search it for garbage first takes a fifth of a command.
    atexit.register(gc.freeze)
    app.main()
