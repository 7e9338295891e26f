"""``chainrule report RUN``."""

from __future__ import annotations

from pathlib import Path

import click

from ..arguments import user_path
from .finding import find_run
from .options import common, json_option, runs_dir_option
from .terminal import say, tell_json, tell_path, warn

__all__ = ["report"]


@click.command(short_help="Write what a run has to tell as one HTML page.")
@click.argument("run")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write there instead of report.html in the run folder.",
)
@click.option(
    "--tensorboard",
    metavar="DIR",
    help="Write the curves as event files of TensorBoard instead of the page.",
)
@json_option("What the page says, as JSON on stdout, instead of the page.")
@runs_dir_option
@common
def report(
    run: str, output: Path | None, tensorboard: str | None, as_json: bool, runs_dir: str
) -> None:
    """Write the report of RUN (a folder, the end of its name, or `last`): curves, data, metrics,
    confusion or residuals, settings and machine, in one file that opens from disk.

    A run that is still running, was interrupted or has failed is told as far as it came. With
    -o, the page is written beside what --json and --tensorboard ask for.
    """
    place = find_run(run, user_path(runs_dir, "--runs-dir"), broken=run != "last", unfinished=True)
    from ..report import export_tensorboard, report_facts, write_report
    from ..table.runfolder import is_written

    running = is_written(place)
    facts = report_facts(place, running=running)
    if as_json:
        tell_json(facts)
    if tensorboard is not None:
        say(f"the curves are in {export_tensorboard(place, tensorboard)}")
    if output is not None or not (as_json or tensorboard is not None):
        written = write_report(place, output, running=running)
        tell_path(written, err=as_json)
    for trouble in facts["troubles"]:
        warn(trouble)
