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

    Of a group made by --seeds or --folds: what each run reached, and what all say together.

    A run that is still going, was interrupted or failed is reported as far as it got. Add -o to
    write the page as well as what --json or --tensorboard produce.
    """
    folder = find_run(run, user_path(runs_dir, "--runs-dir"), broken=run != "last", unfinished=True)
    from ..report import export_tensorboard, report_facts, write_report
    from ..runs.folder import is_being_written, is_group

    if is_group(folder):
        report_group(folder, output, tensorboard, as_json)
        return
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


def report_group(folder: Path, output: Path | None, tensorboard: str | None, as_json: bool) -> None:
    """The same about a group of runs. ConfigError for curves, which each run has for itself."""
    from ..errors import ConfigError
    from ..report import group_facts, write_group_report

    if tensorboard is not None:
        raise ConfigError(
            "a group of runs has no curves of its own", help="give one of the runs in the group"
        )
    if as_json:
        print_json(group_facts(folder))
    if output is not None or not as_json:
        print_path(write_group_report(folder, output), err=as_json)
