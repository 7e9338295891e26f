"""Options that occur in several commands, spelt and explained in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from .terminal import state

__all__ = ["common", "json_option", "progress_option", "quiet_option", "runs_dir_option",
           "threads_option"]  # fmt: skip

F = TypeVar("F", bound=Callable[..., Any])


def remembered(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    """A callback that keeps an option in the state of the program."""

    def keep(ctx: click.Context, param: click.Parameter, value: Any) -> None:
        setattr(state, name, value)

    return keep


def common(command: F) -> F:
    """``--color`` and ``--traceback`` (which `Commands.main` reads)."""
    command = click.option(
        "--traceback", is_flag=True, expose_value=False, help="Show where an error arose."
    )(command)
    return click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        expose_value=False,
        is_eager=True,
        callback=remembered("colour"),
        help="Colour in messages; auto looks for a terminal, NO_COLOR and FORCE_COLOR.",
    )(command)


def quiet_option(command: F) -> F:
    """``-q`` and ``-v``."""
    for short, name, text in (
        ("-v", "verbose", "Also where settings come from."),
        ("-q", "quiet", "No talk on stderr."),
    ):
        keep = remembered(name)
        command = click.option(
            short, f"--{name}", is_flag=True, expose_value=False, callback=keep, help=text
        )(command)
    return command


def progress_option(command: F) -> F:
    """``--progress``."""
    return click.option(
        "--progress",
        type=click.Choice(["auto", "bar", "plain", "none"]),
        default="auto",
        expose_value=False,
        callback=remembered("progress"),
        help="A live line, plain lines, or nothing; auto looks for a terminal.",
    )(command)


def json_option(text: str = "One JSON object on stdout.") -> Callable[[F], F]:
    """``--json``."""
    return click.option("--json", "as_json", is_flag=True, help=text)


def runs_dir_option(command: F) -> F:
    """``--runs-dir`` of commands that read runs."""
    return click.option(
        "--runs-dir", default="runs", show_default=True, help="Where run folders are."
    )(command)


def threads_option(command: F) -> F:
    """``--threads``."""
    return click.option("--threads", type=int, help="Results do not depend on it.")(command)
