"""The commands that kinds of data add: each reads a run and prints text as it is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from ..arguments import user_path
from .kind_options import KindCommand
from .loading import load_predictor
from .options import common, runs_dir_option, threads_option
from .run_lookup import find_run
from .terminal import graceful_signals, print_piece

if TYPE_CHECKING:
    from ..runs.option import Command

__all__ = ["added_commands"]


def added_commands() -> Mapping[str, click.Command]:
    """The commands by name. The kinds themselves are not loaded."""
    from ..runs.registry import commands

    return {command.name: _click_command(command) for command in commands()}


def _click_command(command: Command) -> click.Command:
    def run(run: str, runs_dir: str, threads: int | None, **options: Any) -> None:
        folder = find_run(run, user_path(runs_dir, "--runs-dir"))
        predictor, values = load_predictor(command.name, folder, threads, options)
        with graceful_signals():
            for piece in getattr(predictor, command.method)(**values):
                print_piece(piece)
            print_piece("\n")

    run.__doc__ = command.help
    arguments = click.argument("run")
    decorated = arguments(runs_dir_option(threads_option(common(run))))
    return click.command(command.name, cls=KindCommand, short_help=command.short_help)(decorated)
