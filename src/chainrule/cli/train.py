"""``chainrule train DATA --target COLUMN``, ``chainrule train IMAGES``, ``... RUN.toml``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from .engine import engine
from .options import common, json_option, progress_option, quiet_option, threads_option
from .starting import gathered, listener_for, setting_words, tell_origins
from .terminal import graceful, missing_values, say, state, tell_path

__all__ = ["train"]

KINDS = ("number", "boolean", "category", "datetime", "ignored")


def whole_numbers(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    """``64,64`` or ``64-64`` as a tuple; an empty text is no layer."""
    if value is None:
        return None
    if not value.strip():
        return ()
    try:
        return tuple(int(part) for part in value.replace("-", ",").split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a list such as 64,64") from None


def count_or_all(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    """``256`` as a number, ``all`` as it is."""
    if value is None or value == "all":
        return value
    try:
        return int(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a whole number, nor all") from None


def seed_list(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    """``5`` as a count, ``1,2,7`` as a list of seeds."""
    if value is None:
        return None
    try:
        found = [int(part) for part in value.split(",")]
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a number of seeds or a list 1,2,7") from None
    if min(found) < 0 or (len(found) == 1 and "," not in value and found[0] < 1):
        raise click.BadParameter("seeds are whole numbers from 0, their number is at least 1")
    return found if "," in value else found[0]


def kinds_of(pairs: tuple[str, ...]) -> dict[str, str] | None:
    """``("zip=category",)`` as a dict."""
    found = {}
    for pair in pairs:
        column, mark, kind = pair.rpartition("=")
        if not mark or not column:
            raise click.BadParameter(f"{pair!r} is not COLUMN=KIND", param_hint="--column")
        found[column] = kind
    return found or None


@click.command(short_help="Train a model from a table, images or a run.toml.")
@click.argument("source", metavar="DATA|RUN.toml")
@click.argument("words", metavar="[KEY=VALUE]...", nargs=-1, callback=setting_words)
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
@click.option("--optimizer", metavar="NAME", help="adamw, sgd, ...: `chainrule config schema`.")
@click.option("--schedule", metavar="NAME", help="How the learning rate changes: cosine, ...")
@click.option("--lr", type=float, help="Learning rate.")
@click.option("--batch-size", metavar="N|all", callback=count_or_all, help="Rows in one step.")
@click.option("--weight-decay", type=float, help="Pull of the weights towards zero.")
@click.option(
    "--patience", type=int, help="Epochs without a better validation loss before the end."
)
@click.option("--time-limit", type=float, metavar="SECONDS", help="End after this time.")
@click.option("--seed", type=int, help="Fixes split, first weights and order.  [default: 0]")
@click.option(
    "--seeds",
    metavar="N|LIST",
    callback=seed_list,
    help="Train once for each seed: so many from --seed on, or a list 1,2,7.",
)
@click.option(
    "--folds",
    type=click.IntRange(2, 1000),
    metavar="K",
    help="Cross-validation: train K times, each row (or image) is a test row once.",
)
@click.option("--name", help="A name for the run folder.")
@click.option("--runs-dir", help="Where run folders go.  [default: runs]")
@threads_option
@json_option("Events as JSON lines on stdout.")
@quiet_option
@progress_option
@common
def train(
    source: str, words: tuple[str, ...], missing: tuple[str, ...], columns: tuple[str, ...],
    seeds: int | list[int] | None, folds: int | None, threads: int | None, as_json: bool,
    **options: Any,
) -> None:  # fmt: skip
    """Train on DATA (csv, tsv, parquet, jsonl; plain or gzipped) to predict a column, or as
    RUN.toml says (`chainrule init` writes one).

    The kinds of columns and the task are inferred; a part of the rows is kept apart to judge the
    result. Everything is written to a run folder, whose path is printed on stdout.

    KEY=VALUE sets what run.toml can hold: `train.lr=0.003 train.clip.global_norm=1`.

    DATA may also be images: a folder with one folder for each class (PNG, JPEG, WebP), or an IDX
    file beside its labels.

    `heart`, `breast_cancer` and `diabetes` are tables that come with Chainrule, `fashion` are
    images: `chainrule train heart`.
    """
    options |= {"missing": missing_values(missing), "columns": kinds_of(columns)}
    with graceful():
        found = gathered(source, words, options, images=True)
        tell_origins(found)
        engine(threads)
        from ..images import fit_image_settings, repeat_images
        from ..images.settings import ImageSettings
        from ..table import fit_settings, repeat

        listener, many = listener_for(as_json), seeds is not None or folds is not None
        images = isinstance(found.settings, ImageSettings)
        if many:
            every: Any = repeat_images if images else repeat
            run = every(found.settings, seeds=seeds, folds=folds, listener=listener).run
        else:
            once: Any = fit_image_settings if images else fit_settings
            run = once(found.settings, listener=listener).run
    if run is None:
        return
    if not as_json:
        tell_path(run)
    if not (as_json or state.quiet):
        data = found.settings.data.path
        say(f"next: chainrule runs show {shlex.quote(str(run))}" if many else next_steps(run, data))


def next_steps(run: Path, data: str) -> str:
    """Commands to paste."""
    place = [] if str(run.parent) == "runs" else ["--runs-dir", str(run.parent)]
    short = run.name.rpartition("-")[2]
    words = ["chainrule", "predict", short, data, "-o", "out.csv", *place]
    return f"next: {shlex.join(words)}"
