"""``chainrule train DATA``, ``chainrule train RUN.toml``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from .engine import engine
from .kind_options import KindCommand, read_options
from .options import common, json_option, progress_option, quiet_option, threads_option
from .settings import chosen, listener_for, setting_words, tell_origins
from .terminal import graceful, say, state, tell_path

__all__ = ["train"]


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


@click.command(cls=KindCommand, short_help="Train a model on data, or as a run.toml says.")
@click.argument("source", metavar="DATA|RUN.toml")
@click.argument("words", metavar="[KEY=VALUE]...", nargs=-1, callback=setting_words)
@click.option("--epochs", type=int, help="Maximum number of epochs.")
@click.option("--optimizer", metavar="NAME", help="Optimizer: adamw, sgd, ...")
@click.option("--schedule", metavar="NAME", help="Learning rate schedule: constant, cosine, ...")
@click.option("--lr", type=float, help="Learning rate.")
@click.option("--batch-size", metavar="N|all", callback=count_or_all, help="Batch size.")
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
    source: str, words: tuple[str, ...], seeds: int | list[int] | None, folds: int | None,
    threads: int | None, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Train a model on DATA, or with the settings of RUN.toml (`chainrule init` writes one).

    \b
    DATA is one of:
      {sources}

    The kind of data and the task are inferred, and part of the data is held out to evaluate the
    result. Everything is written to a run folder, whose path is printed on stdout.

    KEY=VALUE overrides any setting of run.toml: `train.lr=0.003 train.clip.global_norm=1`.
    """
    options = read_options("train", options)
    with graceful():
        found = chosen("train", source, words, options)
        tell_origins(found)
        engine(threads)
        from ..runs.groups import repeat
        from ..runs.training import train as train_run

        listener, many = (
            listener_for(as_json, found.options("train")),
            seeds is not None or folds is not None,
        )
        done: Any = (
            repeat(found.kind, found.settings, None, seeds, folds, listener)
            if many
            else train_run(found.kind, found.settings, None, listener)
        )
        run = done.run
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
