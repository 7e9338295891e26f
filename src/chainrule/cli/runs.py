"""``chainrule runs ls | show | compare | rm``."""

from __future__ import annotations

import sys

import click

from ..arguments import user_path
from ..phrasing import plain_number
from .options import common, json_option, runs_dir_option
from .run_lookup import find_run
from .terminal import print_rows, say, tell, tell_json, tell_path, warn

__all__ = ["runs"]


@click.group(short_help="List, show, compare and delete runs.")
def runs() -> None:
    """Manage runs. Each run is one folder."""


@runs.command("ls", short_help="List all runs.")
@click.argument("place", metavar="[GROUP]", default="")
@json_option("Print one JSON list on stdout.")
@runs_dir_option
@common
def list_all(place: str, as_json: bool, runs_dir: str) -> None:
    """List all runs, oldest first, or those of GROUP (made by --seeds or --folds)."""
    base = user_path(runs_dir, "--runs-dir")
    from ..runs.listing import HEADINGS, summarize_runs

    found = summarize_runs(find_run(place, base) if place else base)
    if as_json:
        tell_json([run.to_dict() for run in found])
        return
    if not found:
        say(f"no runs in {base}")
        return
    print_rows([HEADINGS, *(run.cells() for run in found)])
    for run in found:
        if run.trouble:
            warn(f"{run.path.name}: {run.trouble}")


@runs.command(short_help="Show one run.")
@click.argument("run")
@json_option()
@runs_dir_option
@common
def show(run: str, as_json: bool, runs_dir: str) -> None:
    """Show the status, data, model, metrics and curve of RUN: a folder, the end of its name, or
    `last`.
    """
    place = find_run(run, user_path(runs_dir, "--runs-dir"))
    from ..runs.listing import details, details_text

    found = details(place)
    if as_json:
        tell_json(found)
    else:
        tell(details_text(found, place))


@runs.command(short_help="Compare two runs.")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@json_option()
@runs_dir_option
@common
def compare(a: str, b: str, as_json: bool, runs_dir: str) -> None:
    """Show the metrics of runs A and B side by side, and every setting that differs."""
    base = user_path(runs_dir, "--runs-dir")
    first, second = (find_run(text, base) for text in (a, b))
    from ..runs.listing import compare_runs

    found = compare_runs(first, second)
    if as_json:
        tell_json(found)
        return
    rows = [("", first.name, second.name)]
    rows += [(name, plain_number(x), plain_number(y)) for name, (x, y) in found["metrics"].items()]
    rows += [(key, x or "-", y or "-") for key, (x, y) in found["settings"].items()]
    print_rows(rows)


@runs.command("rm", short_help="Delete runs.")
@click.argument("names", metavar="RUN...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@runs_dir_option
@common
def remove(names: tuple[str, ...], yes: bool, runs_dir: str) -> None:
    """Delete run folders and everything in them. A run that is still going is not deleted."""
    base = user_path(runs_dir, "--runs-dir")
    places = [find_run(name, base, broken=True) for name in names]
    from ..runs.listing import check_removable, remove_run

    for place in places:
        check_removable(place)
    if not yes:
        say("\n".join(str(place) for place in places))
        if not sys.stdin.isatty() or not click.confirm("delete permanently?", err=True):
            say("nothing was deleted; --yes skips the question")
            raise click.exceptions.Exit(1)
    for place in places:
        remove_run(place)
        tell_path(place)
