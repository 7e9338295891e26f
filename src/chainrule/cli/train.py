"""``chainrule train DATA --target COLUMN``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .engine import engine
from .terminal import graceful, missing_values, say, traceback_option

__all__ = ["train"]

KINDS = ("number", "boolean", "category", "datetime", "ignored")


def whole_numbers(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    """``64,64`` as a tuple; an empty text is no layer."""
    if value is None:
        return None
    try:
        return tuple(int(part) for part in value.replace("-", ",").split(",") if part.strip())
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a list such as 64,64") from None


def kinds_of(pairs: tuple[str, ...]) -> dict[str, str] | None:
    """``("zip=category",)`` as a dict."""
    found = {}
    for pair in pairs:
        column, mark, kind = pair.rpartition("=")
        if not mark or not column:
            raise click.BadParameter(f"{pair!r} is not COLUMN=KIND", param_hint="--column")
        found[column] = kind
    return found or None


@click.command(short_help="Train a model from a table.")
@click.argument("data")
@click.option("--target", metavar="COLUMN", help="The column to predict.")
@click.option("--query", metavar="SQL", help="One SELECT on the table, which is called data.")
@click.option(
    "--task",
    type=click.Choice(["binary", "multiclass", "regression"]),
    help="Overrule what the target suggests.",
)
@click.option(
    "--missing",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="A value that means `not measured`, such as chol=0. May be repeated.",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="COLUMN=KIND",
    help=f"Overrule the kind of a column: {', '.join(KINDS)}. May be repeated.",
)
@click.option(
    "--layers",
    metavar="N,N",
    callback=whole_numbers,
    help="Widths of the hidden layers; '' for a linear model.",
)
@click.option("--dropout", type=float, help="Share of units left out in each step.")
@click.option("--epochs", type=int, help="At most so many.")
@click.option("--lr", type=float, help="Learning rate.")
@click.option("--batch-size", type=int, help="Rows in one step.")
@click.option("--weight-decay", type=float, help="Pull of the weights towards zero.")
@click.option(
    "--patience", type=int, help="Epochs without a better validation loss before the end."
)
@click.option("--time-limit", type=float, metavar="SECONDS", help="End after this time.")
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Fixes split, first weights and order."
)
@click.option("--threads", type=int, help="Results do not depend on it.")
@click.option("--name", default="", help="A name for the run folder.")
@click.option("--runs-dir", default="runs", show_default=True, help="Where run folders go.")
@click.option("--json", "as_json", is_flag=True, help="Events as JSON lines on stdout.")
@click.option("-q", "--quiet", is_flag=True, help="No talk on stderr.")
@traceback_option
def train(
    data: str, missing: tuple[str, ...], columns: tuple[str, ...], threads: int | None,
    as_json: bool, quiet: bool, **options: Any,
) -> None:  # fmt: skip
    """Train on DATA (csv, tsv, parquet, jsonl; plain or gzipped) to predict a column.

    The kinds of columns and the task are inferred; a part of the rows is kept apart to judge the
    result. Everything is written to a run folder, whose path is printed on stdout.

    `heart` and `breast_cancer` are tables that come with Chainrule: `chainrule train heart`.
    """
    given = {name: value for name, value in options.items() if value is not None}
    with graceful():
        from .talk import JsonTalk, TerminalTalk, silent

        listener = JsonTalk() if as_json else silent() if quiet else TerminalTalk()
        predictor = engine(threads).fit(
            data,
            missing=missing_values(missing),
            columns=kinds_of(columns),
            listener=listener,
            **given,
        )
    if not as_json:
        click.echo(predictor.run)
    if not (as_json or quiet):
        say(next_steps(predictor.run, options["runs_dir"], data))


def next_steps(run: Path, runs_dir: str, data: str) -> str:
    """Commands to paste."""
    place = "" if runs_dir == "runs" else f" --runs-dir {runs_dir}"
    short = run.name.rpartition("-")[2]
    return f"next: chainrule predict {short} {data} -o out.csv{place}"
