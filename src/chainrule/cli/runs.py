"""``chainrule runs ls | show | compare | rm``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from ..arguments import user_path
from .finding import find_run
from .options import common, json_option, runs_dir_option
from .terminal import colour, say

__all__ = ["runs"]


@click.group(short_help="List, show, compare and remove runs.")
def runs() -> None:
    """Runs: one folder for each training."""


@runs.command("ls", short_help="A table of all runs.")
@click.argument("place", metavar="[GROUP]", default="")
@json_option("One JSON list on stdout.")
@runs_dir_option
@common
def list_all(place: str, as_json: bool, runs_dir: str) -> None:
    """All runs of the runs folder, or of GROUP (what --seeds and --folds leave), oldest first."""
    base = user_path(runs_dir, "--runs-dir")
    from ..table.overview import HEADS, overview
    from ..table.runfolder import json_text

    found = overview(find_run(place, base) if place else base)
    if as_json:
        click.echo(json_text([run.to_dict() for run in found], indent=2))
        return
    if not found:
        say(f"there are no runs in {base}")
        return
    print_rows(HEADS, [run.cells() for run in found])
    for run in found:
        if run.trouble:
            say(click.style(f"! {run.path.name}: {run.trouble}", fg="yellow"))


@runs.command(short_help="Everything about one run.")
@click.argument("run")
@json_option()
@runs_dir_option
@common
def show(run: str, as_json: bool, runs_dir: str) -> None:
    """Status, data, model, metrics and curve of RUN: a folder, the end of its name, or `last`."""
    place = find_run(run, user_path(runs_dir, "--runs-dir"))
    from ..table.overview import details, details_text
    from ..table.runfolder import json_text

    found = details(place)
    click.echo(json_text(found, indent=2) if as_json else details_text(found, place))


@runs.command(short_help="Metrics and settings that differ.")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@json_option()
@runs_dir_option
@common
def compare(a: str, b: str, as_json: bool, runs_dir: str) -> None:
    """Metrics of runs A and B side by side, and every setting in which they differ."""
    base = user_path(runs_dir, "--runs-dir")
    first, second = (find_run(text, base) for text in (a, b))
    from ..images import run_settings
    from ..table.overview import comparison
    from ..table.runfolder import json_text
    from ..table.watch import number

    found = comparison(first, second, run_settings)
    if as_json:
        click.echo(json_text(found, indent=2))
        return
    rows = [(name, number(x), number(y)) for name, (x, y) in found["metrics"].items()]
    rows += [(key, x or "-", y or "-") for key, (x, y) in found["settings"].items()]
    print_rows(("", first.name, second.name), rows)


@runs.command("rm", short_help="Remove runs.")
@click.argument("names", metavar="RUN...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@runs_dir_option
@common
def remove(names: tuple[str, ...], yes: bool, runs_dir: str) -> None:
    """Remove run folders and everything in them. A run that is running is refused."""
    base = user_path(runs_dir, "--runs-dir")
    places = [find_run(name, base, broken=True) for name in names]
    from ..table.overview import removable, remove_run

    for place in places:
        removable(place)
    if not yes:
        say("\n".join(str(place) for place in places))
        if not sys.stdin.isatty() or not click.confirm("remove for good?", err=True):
            say("nothing was removed; --yes removes without asking")
            raise click.exceptions.Exit(1)
    for place in places:
        remove_run(place)
        click.echo(place)


def print_rows(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """A table on stdout: with rich on a terminal, else aligned columns that tools can cut."""
    if sys.stdout.isatty() and colour() is not False:
        from rich.console import Console
        from rich.table import Table

        table = Table(*heads, box=None, padding=(0, 2, 0, 0))
        for row in rows:
            table.add_row(*row)
        Console(highlight=False).print(table)
        return
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    for row in [heads, *rows]:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
