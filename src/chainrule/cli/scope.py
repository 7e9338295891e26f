"""``chainrule scope RUN``: one step in numbers, from the network to a single weight."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from ..arguments import user_path
from .engine import load_engine
from .options import common, json_option, quiet_option, runs_dir_option, threads_option
from .run_lookup import find_run
from .terminal import graceful_signals, print_json, print_path, print_text, say

if TYPE_CHECKING:
    from ..microscope import Scope, View
    from ..runs.modality import PartName

__all__ = ["scope"]


def parse_index(ctx: click.Context, param: click.Parameter, value: str | None) -> object:
    """``0,3,4``: an index, a number for each axis."""
    if value is None:
        return None
    try:
        return tuple(int(part) for part in value.strip("[]()").split(","))
    except ValueError:
        raise click.BadParameter("give whole numbers with commas between them: 0,3,4") from None


@click.command(short_help="Look into one step: forward, backward, update, in numbers.")
@click.argument("run", required=False)
@click.option("--example", type=int, default=0, show_default=True, help="Number of the example.")
@click.option(
    "--part",
    type=click.Choice(["train", "validation", "test"]),
    help="The part that the example is in; by default the one that judges the run.",
)
@click.option("--step", type=int, metavar="N", help="Replay step N of the training instead.")
@click.option(
    "--row", metavar="ROW", help="Look at a new example instead: typed in (column=value,..., or a "
    "JSON object), or a file that has one.",
)  # fmt: skip
@click.option("--target", metavar="TARGET", help="The target of the new example, for its loss.")
@click.option("--layer", metavar="NAME", help="A layer, as the network lists it.")
@click.option("--unit", type=int, metavar="N", help="A unit or channel of the layer.")
@click.option("--at", callback=parse_index, metavar="I,J,...", help="The whole index of an output.")
@click.option("--weight", metavar="NAME", help="A parameter: gradient, update and check.")
@click.option("--index", callback=parse_index, metavar="I,J", help="Which number of the parameter.")
@click.option("--text", "as_text", is_flag=True, help="Print it here instead of in the browser.")
@click.option("--serve", is_flag=True, hidden=True)
@click.option("--lesson", metavar="NAME", help="Open a lesson.")
@click.option("--answer", metavar="TEXT", help="Your answer to the lesson's question.")
@click.option("--lessons", is_flag=True, help="List the lessons.")
@threads_option
@json_option("Print what is shown as JSON on stdout.")
@quiet_option
@runs_dir_option
@common
def scope(
    run: str | None, example: int, part: str | None, step: int | None, row: str | None,
    target: str | None, layer: str | None, unit: int | None, at: tuple[int, ...] | None,
    weight: str | None, index: tuple[int, ...] | None, as_text: bool, serve: bool,
    lesson: str | None, answer: str | None, lessons: bool, threads: int | None, as_json: bool,
    runs_dir: str,
) -> None:  # fmt: skip
    """Look at one example of RUN (a folder, the end of its name, or `last`) at its newest
    checkpoint, or at one step of its training: network, layer, unit, weight.

    Every number is the compiled step's own, and is shown in terms that add up to it.
    """
    if lessons or lesson:
        with graceful_signals():
            load_engine(threads)
            show_lessons(lesson, answer, as_json)
        return
    if run is None:
        raise click.UsageError("Missing argument 'RUN'; or give --lesson, --lessons.")
    folder = find_run(run, user_path(runs_dir, "--runs-dir"), unfinished=True)
    if not (as_text or as_json or serve) and sys.stdout.isatty():
        wishes = {"example": example, "part": part, "step": step, "row": row, "target": target,
                  "layer": layer, "unit": unit}  # fmt: skip
        open_in_browser(folder, {k: str(v) for k, v in wishes.items() if v is not None})
        return
    with graceful_signals():
        load_engine(threads)
        from ..microscope import scope_of_run
        from ..microscope.requests import answer_lines

        looked = scope_of_run(
            folder, example=example, part=cast("PartName | None", part), step=step, row=row,
            target=target,
        )  # fmt: skip
        if serve:
            answer_lines(looked, sys.stdin, sys.stdout)
            return
        views = views_of(looked, layer, unit, at, weight, index)
    if as_json:
        print_json({"run": str(folder), "layers": list(looked.layers),
                    "views": [view.to_dict() for view in views]})  # fmt: skip
        return
    print_text("\n\n".join(str(view) for view in views))


def open_in_browser(folder: Path, wishes: dict[str, str]) -> None:
    """The dashboard, at the microscope's page of a run."""
    import webbrowser

    from ..dash.listening import listen
    from ..dash.server import serve

    listening = listen("127.0.0.1", None, False)
    query = "&".join(f"{name}={in_address(value)}" for name, value in wishes.items())
    page = f"{listening.address}#/run/{in_address(folder.name)}/scope?{query}"
    print_path(page)
    serve(folder.absolute().parent, listening, lambda: say_unless(webbrowser.open(page)))
    say("ended")


def in_address(text: str) -> str:
    """A name as a part of an address."""
    plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
    return "".join(c if c in plain else "".join(f"%{b:02X}" for b in c.encode()) for c in text)


def say_unless(opened: bool) -> None:
    """What to do if no browser could be opened."""
    if not opened:
        say("no browser could be opened; open the address above")


def views_of(
    looked: Scope, layer: str | None, unit: int | None, at: tuple[int, ...] | None,
    weight: str | None, index: tuple[int, ...] | None,
) -> list[View]:  # fmt: skip
    """What was asked for; without any wish the walk from the network to a weight."""
    if weight is not None:
        return [looked.weight(weight, index)]
    if layer is None:
        return looked.walk()
    if unit is None and at is None:
        return [looked.layer(layer), looked.unit(layer)]
    return [looked.unit(layer, unit, at)]


def show_lessons(name: str | None, answer: str | None, as_json: bool) -> None:
    """The list of lessons, a lesson, or what an answer to its question is worth."""
    from ..microscope.lessons import lesson_names, open_lesson

    if name is None:
        rows = [(n, open_lesson(n).title) for n in lesson_names()]
        if as_json:
            print_json({"lessons": [{"name": n, "title": t} for n, t in rows]})
        else:
            print_text("\n".join(f"{n:<12} {t}" for n, t in rows))
        return
    lesson = open_lesson(name)
    if answer is not None:
        verdict = lesson.judge(answer)
        if as_json:
            print_json({"lesson": name, "right": verdict.right, "words": verdict.words})
        else:
            print_text(verdict.words)
        raise click.exceptions.Exit(0 if verdict.right else 1)
    if as_json:
        print_json(lesson.to_dict())
    else:
        print_text(lesson.text())
