"""Options that several commands share, spelt and explained in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from .terminal import state

__all__ = ["common", "jobs_option", "json_option", "progress_option", "quiet_option",
           "ray_option", "runs_dir_option", "threads_option"]  # fmt: skip

F = TypeVar("F", bound=Callable[..., Any])


def store(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    """A callback that stores the value of an option in `terminal.state`."""

    def callback(ctx: click.Context, param: click.Parameter, value: Any) -> None:
        setattr(state, name, value)

    return callback


def common(command: F) -> F:
    """``--color`` and ``--traceback`` (which `Commands.main` reads)."""
    command = click.option(
        "--traceback",
        is_flag=True,
        expose_value=False,
        help="Show the Python traceback of an error.",
    )(command)
    return click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        expose_value=False,
        is_eager=True,
        callback=store("colour"),
        help="When to use colour; auto depends on the terminal, NO_COLOR and FORCE_COLOR.",
    )(command)


def quiet_option(command: F) -> F:
    """``-q`` and ``-v``."""
    for short, name, text in (
        ("-v", "verbose", "Also print where each setting comes from."),
        ("-q", "quiet", "Print nothing but errors on stderr."),
    ):
        command = click.option(
            short, f"--{name}", is_flag=True, expose_value=False, callback=store(name), help=text
        )(command)
    return command


def progress_option(command: F) -> F:
    """``--progress``."""
    return click.option(
        "--progress",
        type=click.Choice(["auto", "bar", "plain", "none"]),
        default="auto",
        expose_value=False,
        callback=store("progress"),
        help="Show progress as a live line, plain lines or not at all; auto checks for a terminal.",
    )(command)


def json_option(text: str = "Print one JSON object on stdout.") -> Callable[[F], F]:
    """``--json``."""
    return click.option("--json", "as_json", is_flag=True, help=text)


def runs_dir_option(command: F) -> F:
    """``--runs-dir`` of commands that read runs."""
    return click.option(
        "--runs-dir", default="runs", show_default=True, help="Folder that holds the runs."
    )(command)


def threads_option(command: F) -> F:
    """``--threads``."""
    return click.option("--threads", type=int, help="Number of threads; does not affect results.")(
        command
    )


def jobs_option(what: str) -> Callable[[F], F]:
    """``--jobs`` of a command that trains ``what`` several times."""
    return click.option(
        "--jobs",
        type=click.IntRange(1, 1024),
        help=f"{what} at a time, in separate processes.  [default: 1; with --ray: its processors]",
    )


def ray_option(command: F) -> F:
    """``--ray``."""
    return click.option(
        "--ray",
        is_flag=False,
        flag_value="local",
        metavar="[ADDRESS]",
        help="Train on a Ray cluster: HOST:PORT, auto, or none for one on this machine.",
    )(command)
