"""``chainrule report RUN``."""

from __future__ import annotations

from pathlib import Path

import click

from ..arguments import user_path
from .options import common, json_option, runs_dir_option
from .run_lookup import find_run
from .terminal import print_json, print_path, say, warn

__all__ = ["report"]


@click.command(short_help="Write an HTML report about a run.")
@click.argument("run")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write to FILE instead of report.html in the run folder.",
)
@click.option(
    "--tensorboard",
    metavar="DIR",
    help="Write the curves as TensorBoard event files instead.",
)
@json_option("Print the contents as JSON on stdout instead.")
@runs_dir_option
@common
def report(
    run: str, output: Path | None, tensorboard: str | None, as_json: bool, runs_dir: str
) -> None:
    """Write a report about RUN (a folder, the end of its name, or `last`): curves, data, metrics,
    confusion matrix or residuals, settings and machine, in one self-contained HTML file.

    A run that is still going, was interrupted or failed is reported as far as it got. Add -o to
    write the page as well as what --json or --tensorboard produce.
    """
    folder = find_run(run, user_path(runs_dir, "--runs-dir"), broken=run != "last", unfinished=True)
    from ..report import export_tensorboard, report_facts, write_report
    from ..runs.folder import is_being_written

    running = is_being_written(folder)
    facts = report_facts(folder, running=running)
    if as_json:
        print_json(facts)
    if tensorboard is not None:
        say(f"curves written to {export_tensorboard(folder, tensorboard)}")
    if output is not None or not (as_json or tensorboard is not None):
        page = write_report(folder, output, running=running)
        print_path(page, err=as_json)
    for trouble in facts["troubles"]:
        warn(trouble)
