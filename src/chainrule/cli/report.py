"""``chainrule report RUN``."""

from __future__ import annotations

from pathlib import Path

import click

from .finding import find_run
from .options import common, json_option, runs_dir_option
from .terminal import say

__all__ = ["report", "write_wanted_report"]


@click.command(short_help="One HTML page about a run.")
@click.argument("run")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False), metavar="FILE",
    help="Where the page goes.  [default: report.html in the run folder]",
)  # fmt: skip
@click.option(
    "--tensorboard", metavar="DIR", help="Write the curves as TensorBoard's event files instead."
)
@json_option("The facts of the report as one JSON document on stdout, instead of the page.")
@runs_dir_option
@common
def report(
    run: str, output: str | None, tensorboard: str | None, as_json: bool, runs_dir: str
) -> None:
    """Write one HTML page about RUN (a folder, the end of its name, or `last`).

    The page needs nothing but itself: result, curves, data, settings, environment. A run that is
    still running, was interrupted or has failed is told as far as it came.
    """
    place = find_run(run, Path(runs_dir).expanduser(), broken=run != "last", unfinished=True)
    from ..report import export_tensorboard, report_facts, write_report
    from ..table.runfolder import is_written, json_text

    running = is_written(place)
    if as_json:
        click.echo(json_text(report_facts(place, running=running), indent=2))
    if tensorboard is not None:
        say(f"the curves are in {export_tensorboard(place, tensorboard)}")
    if output is not None or not (as_json or tensorboard is not None):
        written = write_report(place, output, running=running)
        say(f"the report is in {written}") if as_json else click.echo(written)


def write_wanted_report(run: Path | None) -> None:
    """After a training: the page, if the settings of the run ask for it."""
    import tomllib

    from ..report import write_report

    for place in () if run is None else (run, *sorted(p for p in run.iterdir() if p.is_dir())):
        try:
            settings = tomllib.loads((place / "run.toml").read_text(encoding="utf-8"))
        except OSError:
            continue  # a group of runs, or a folder inside a run
        if settings.get("output", {}).get("report"):
            write_report(place)
