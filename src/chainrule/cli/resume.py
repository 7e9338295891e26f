"""``chainrule resume RUN``."""

from __future__ import annotations

import click

from ..arguments import user_path
from .engine import engine
from .finding import find_run
from .options import (
    common,
    json_option,
    progress_option,
    quiet_option,
    runs_dir_option,
    threads_option,
)
from .starting import listener_for
from .terminal import graceful, tell_path

__all__ = ["resume"]


@click.command(short_help="Go on with a run that was ended.")
@click.argument("run")
@click.option("--epochs", type=int, help="A new bound for all epochs, those before included.")
@click.option("--data", metavar="FILE", help="The data, if it is not where it was.")
@runs_dir_option
@threads_option
@json_option("Events as JSON lines on stdout.")
@quiet_option
@progress_option
@common
def resume(
    run: str, epochs: int | None, data: str | None, runs_dir: str, threads: int | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Go on with RUN (a folder, the end of its name, or `last`) from its newest checkpoint.

    The result has the same bits as if the run had never stopped. The data must be the same.
    A group that --seeds or --folds made goes on with the runs that are not done.
    """
    with graceful():
        place = find_run(run, user_path(runs_dir, "--runs-dir"), unfinished=True)
        chainrule, listener = engine(threads), listener_for(as_json)
        done = chainrule.resume(place, data, epochs=epochs, listener=listener).run
    if not as_json:
        tell_path(done)
