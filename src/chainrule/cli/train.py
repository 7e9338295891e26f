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
        raise click.BadParameter(
            f"{value!r} is not a list of whole numbers such as 64,64"
        ) from None


def count_or_all(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    """``256`` as a number, ``all`` as it is."""
    if value is None or value == "all":
        return value
    try:
        return int(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is neither a whole number nor `all`") from None


def seed_list(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    """``5`` as a count, ``1,2,7`` as a list of seeds."""
    if value is None:
        return None
    try:
        found = [int(part) for part in value.split(",")]
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is neither a number of seeds nor a list such as 1,2,7"
        ) from None
    if min(found) < 0 or (len(found) == 1 and "," not in value and found[0] < 1):
        raise click.BadParameter("seeds must not be negative, and there must be at least one")
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


@click.command(short_help="Train a model on a table, images or a run.toml.")
@click.argument("source", metavar="DATA|RUN.toml")
@click.argument("words", metavar="[KEY=VALUE]...", nargs=-1, callback=setting_words)
@click.option("--target", metavar="COLUMN", help="Column to predict.")
@click.option(
    "--query", metavar="SQL", help="SELECT that picks rows and columns; the table is called data."
)
@click.option(
    "--task",
    type=click.Choice(["binary", "multiclass", "regression"]),
    help="Override the task inferred from the target.",
)
@click.option(
    "--missing",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="Value that stands for missing data, such as chol=0. Can be repeated.",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="COLUMN=KIND",
    help=f"Override the kind of a column: {', '.join(KINDS)}. Can be repeated.",
)
@click.option(
    "--layers",
    metavar="N,N",
    callback=whole_numbers,
    help="Sizes of the hidden layers; '' for a linear model.",
)
@click.option("--dropout", type=float, help="Dropout probability.")
@click.option("--epochs", type=int, help="Maximum number of epochs.")
@click.option("--optimizer", metavar="NAME", help="Optimizer: adamw, sgd, ...")
@click.option("--schedule", metavar="NAME", help="Learning rate schedule: constant, cosine, ...")
@click.option("--lr", type=float, help="Learning rate.")
@click.option("--batch-size", metavar="N|all", callback=count_or_all, help="Batch size.")
@click.option("--weight-decay", type=float, help="Weight decay.")
@click.option("--patience", type=int, help="Stop after this many epochs without improvement.")
@click.option("--time-limit", type=float, metavar="SECONDS", help="Stop after this time.")
@click.option(
    "--seed", type=int, help="Seed of the split, initial weights and shuffling.  [default: 0]"
)
@click.option(
    "--seeds",
    metavar="N|LIST",
    callback=seed_list,
    help="Train once per seed: N seeds starting at --seed, or a list such as 1,2,7.",
)
@click.option(
    "--folds",
    type=click.IntRange(2, 1000),
    metavar="K",
    help="Cross-validate: train K times, with each row or image in the test set once.",
)
@click.option("--name", help="Name for the run folder.")
@click.option("--runs-dir", help="Folder to write runs to.  [default: runs]")
@threads_option
@json_option("Print events as JSON lines on stdout.")
@quiet_option
@progress_option
@common
def train(
    source: str, words: tuple[str, ...], missing: tuple[str, ...], columns: tuple[str, ...],
    seeds: int | list[int] | None, folds: int | None, threads: int | None, as_json: bool,
    **options: Any,
) -> None:  # fmt: skip
    """Train a model on DATA, or with the settings of RUN.toml (`chainrule init` writes one).

    \b
    DATA is one of:
      a table: csv, tsv, parquet or jsonl, plain or gzipped
      images: a folder with a subfolder for each class (PNG, JPEG, WebP),
        or an IDX file next to its labels
      a data set that comes with Chainrule: heart, breast_cancer, diabetes
        (tables) or fashion (images)

    Column kinds and the task are inferred, and part of the data is held out to evaluate the
    result. Everything is written to a run folder, whose path is printed on stdout.

    KEY=VALUE overrides any setting of run.toml: `train.lr=0.003 train.clip.global_norm=1`.
    """
    options |= {"missing": missing_values(missing), "columns": kinds_of(columns)}
    with graceful():
        found = gathered(source, words, options, images=True)
        tell_origins(found)
        engine(threads)
        from ..modalities.images.fit import fit_image_settings
        from ..modalities.images.repeating import repeat_images
        from ..modalities.images.settings import ImageSettings
        from ..modalities.tables.fit import fit_settings
        from ..modalities.tables.repeating import repeat

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
