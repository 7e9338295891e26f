"""``chainrule runs ls | show | compare | rm``."""

from __future__ import annotations

import sys

import click

from ..arguments import user_path
from ..phrasing import plain_number
from .options import common, json_option, runs_dir_option
from .run_lookup import find_run
from .terminal import print_json, print_path, print_rows, print_text, say, warn

__all__ = ["runs"]


@click.group(short_help="List, show, compare and delete runs.")
def runs() -> None:
    """Manage runs. Each run is one folder."""


@runs.command("ls", short_help="List all runs.")
@click.argument("group", metavar="[GROUP]", default="")
@json_option("Print one JSON list on stdout.")
@runs_dir_option
@common
def list_all(group: str, as_json: bool, runs_dir: str) -> None:
    """List all runs, oldest first, or those of GROUP (made by --seeds or --folds)."""
    base = user_path(runs_dir, "--runs-dir")
    from ..runs.listing import HEADINGS, summarize_runs

    entries = summarize_runs(find_run(group, base) if group else base)
    if as_json:
        print_json([run.to_dict() for run in entries])
        return
    if not entries:
        say(f"no runs in {base}")
        return
    print_rows([HEADINGS, *(run.cells() for run in entries)])
    for run in entries:
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
    folder = find_run(run, user_path(runs_dir, "--runs-dir"))
    from ..runs.listing import details, details_text

    facts = details(folder)
    if as_json:
        print_json(facts)
    else:
        print_text(details_text(facts, folder))


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

    differences = compare_runs(first, second)
    if as_json:
        print_json(differences)
        return
    rows = [("", first.name, second.name)]
    rows += [
        (name, plain_number(x), plain_number(y)) for name, (x, y) in differences["metrics"].items()
    ]
    rows += [(key, x or "-", y or "-") for key, (x, y) in differences["settings"].items()]
    print_rows(rows)


@runs.command("rm", short_help="Delete runs.")
@click.argument("names", metavar="RUN...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@runs_dir_option
@common
def remove(names: tuple[str, ...], yes: bool, runs_dir: str) -> None:
    """Delete run folders and everything in them. A run that is still going is not deleted."""
    base = user_path(runs_dir, "--runs-dir")
    folders = [find_run(name, base, broken=True) for name in names]
    from ..runs.listing import check_removable, remove_run

    for folder in folders:
        check_removable(folder)
    if not yes:
        say("\n".join(str(folder) for folder in folders))
        if not sys.stdin.isatty() or not click.confirm("delete permanently?", err=True):
            say("nothing was deleted; --yes skips the question")
            raise click.exceptions.Exit(1)
    for folder in folders:
        remove_run(folder)
        print_path(folder)
