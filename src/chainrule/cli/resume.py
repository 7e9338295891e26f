"""``chainrule resume RUN``."""

from __future__ import annotations

import click

from ..arguments import user_path
from .engine import load_engine
from .options import (
    common,
    json_option,
    progress_option,
    quiet_option,
    runs_dir_option,
    threads_option,
)
from .run_lookup import find_run
from .settings import listener_for
from .sharing import shared
from .terminal import graceful_signals, print_path

__all__ = ["resume"]


@click.command(short_help="Resume an interrupted run.")
@click.argument("run")
@click.option(
    "--epochs", type=int, help="New maximum number of epochs, including those already done."
)
@click.option("--data", metavar="FILE", help="Path of the data, if it has moved.")
@runs_dir_option
@threads_option
@json_option("Print events as JSON lines on stdout.")
@quiet_option
@progress_option
@common
def resume(
    run: str, epochs: int | None, data: str | None, runs_dir: str, threads: int | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Resume RUN (a folder, the end of its name, or `last`) from its latest checkpoint.

    The result is bit for bit what it would have been without the interruption. The data must be
    unchanged. In a group made by --seeds or --folds, every unfinished run is resumed.
    """
    with graceful_signals(), shared():
        folder = find_run(run, user_path(runs_dir, "--runs-dir"), unfinished=True)
        chainrule, listener = load_engine(threads), listener_for(as_json)
        predictor = chainrule.resume(folder, data, epochs=epochs, listener=listener)
    if not as_json and predictor.run is not None:
        print_path(predictor.run)
