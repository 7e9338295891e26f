"""``chainrule report RUN``."""

from __future__ import annotations

from pathlib import Path

import click

from .finding import find_run
from .options import common, json_option, runs_dir_option

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
@json_option("What the page says, as JSON on stdout; nothing is written.")
@runs_dir_option
@common
def report(run: str, output: Path | None, as_json: bool, runs_dir: str) -> None:
    """Write the report of RUN (a folder, the end of its name, or `last`): curves, data, metrics,
    confusion or residuals, settings and machine, in one file that opens from disk.
    """
    place = find_run(run, Path(runs_dir).expanduser(), unfinished=True)
    from ..report import report_facts, write_report
    from ..table.runfolder import is_written, json_text

    if as_json:
        click.echo(json_text(report_facts(place, running=is_written(place)), indent=2))
    else:
        click.echo(write_report(place, output, running=is_written(place)))
