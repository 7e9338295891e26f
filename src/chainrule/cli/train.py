"""``chainrule train DATA``, ``chainrule train RUN.toml``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from .carriers import chosen_carrier
from .engine import load_engine
from .kind_options import KindCommand, parse_options
from .options import (
    common,
    jobs_option,
    json_option,
    progress_option,
    quiet_option,
    ray_option,
    threads_option,
)
from .settings import check_overrides, listener_for, print_origins, resolve_settings
from .sharing import shared
from .terminal import graceful_signals, print_path, say, state

__all__ = ["train"]


def parse_batch_size(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    """``256`` as a number, ``all`` as it is."""
    if value is None or value == "all":
        return value
    try:
        return int(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is neither a whole number nor `all`") from None


def parse_seeds(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    """``5`` as a count, ``1,2,7`` as a list of seeds."""
    if value is None:
        return None
    try:
        seeds = [int(part) for part in value.split(",")]
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is neither a number of seeds nor a list such as 1,2,7"
        ) from None
    is_list = "," in value
    if min(seeds) < 0 or (not is_list and seeds[0] < 1):
        raise click.BadParameter("seeds must not be negative, and there must be at least one")
    return seeds if is_list else seeds[0]


@click.command(cls=KindCommand, short_help="Train a model on data or from a run.toml.")
@click.argument("source", metavar="DATA|RUN.toml")
@click.argument("overrides", metavar="[KEY=VALUE]...", nargs=-1, callback=check_overrides)
@click.option("--epochs", type=int, help="Maximum number of epochs.")
@click.option("--batch-size", metavar="N|all", callback=parse_batch_size, help="Batch size.")
@click.option("--lr", type=float, help="Learning rate.")
@click.option("--optimizer", metavar="NAME", help="Optimizer: adamw, sgd, ...")
@click.option("--schedule", metavar="NAME", help="Learning rate schedule: constant, cosine, ...")
@click.option("--metric", metavar="NAME", help="Choose the epoch by f1, roc_auc, rmse, ...")
@click.option("--patience", type=int, help="Stop after this many epochs without improvement.")
@click.option("--time-limit", type=float, metavar="SECONDS", help="Stop after this time.")
@click.option(
    "--seed", type=int, help="Seed of the split, initial weights and shuffling.  [default: 0]"
)
@click.option(
    "--seeds",
    metavar="N|LIST",
    callback=parse_seeds,
    help="Train once per seed: N seeds starting at --seed, or a list such as 1,2,7.",
)
@click.option(
    "--folds",
    type=click.IntRange(2, 1000),
    metavar="K",
    help="Cross-validate: train K times, with each example in the test set once.",
)
@click.option("--name", help="Name for the run folder.")
@click.option("--runs-dir", help="Folder to write runs to.  [default: runs]")
@click.option("--dash", is_flag=True, help="Show the training in the browser; prints the address.")
@jobs_option("Trainings of --seeds, --folds or an ensemble")
@ray_option
@threads_option
@json_option("Print events as JSON lines on stdout.")
@quiet_option
@progress_option
@common
def train(
    source: str, overrides: tuple[str, ...], seeds: int | list[int] | None, folds: int | None,
    dash: bool, jobs: int | None, ray: str | None, threads: int | None, as_json: bool,
    **options: Any,
) -> None:  # fmt: skip
    """Train a model on DATA, or with the settings of RUN.toml (`chainrule init` writes one).

    \b
    DATA is one of:
      {sources}

    The kind of data and the task are inferred, and part of the data is held out to evaluate the
    result. Everything is written to a run folder, whose path is printed on stdout.

    KEY=VALUE overrides any setting of run.toml, for example `train.clip.global_norm=1`.
    """
    options = parse_options("train", options)
    with graceful_signals(), shared() as workers:
        resolved = resolve_settings("train", source, overrides, options)
        print_origins(resolved)
        load_engine(threads)
        from ..runs.bagging import start
        from ..runs.group_folder import check_not_shared
        from ..runs.groups import repeat
        from ..runs.preparation import runs_folder

        kind, settings = resolved.kind, resolved.settings
        if workers is not None and settings.train.parts == 0:
            settings = settings.changed(train=settings.train.changed(parts="auto"))
        if dash:
            show(runs_folder(settings))
        listener = listener_for(as_json, lambda setting: resolved.as_option(setting, "train"))
        repeats = seeds is not None or folds is not None
        bagged = bool(kind.bagged(settings))
        if repeats or bagged or kind.by_target(settings):
            check_not_shared()  # before data is read
        check_carriers(repeats or bagged, ray, jobs)
        carrier = chosen_carrier(ray, jobs)
        result: Any = (
            repeat(kind, settings, None, seeds, folds, listener, carrier)
            if repeats
            else start(kind, settings, None, listener, carrier)
        )
    run = result.run
    if run is None:
        return
    if not as_json:
        print_path(run)
    if not (as_json or state.quiet):
        following = next((c for c in kind.commands if not repeats and result.task in c.tasks), None)
        if following is not None:
            say(f"next: {run_command(following.name, run)}")
        else:
            path = settings.data.path
            say(f"next: {show_command(run) if repeats else run_command('predict', run, path)}")


def check_carriers(several: bool, ray: str | None, jobs: int | None) -> None:
    """UsageError for one training that is to be carried elsewhere."""
    for option, given in ("--ray", ray), ("--jobs", jobs):
        if given is not None and not several:
            raise click.UsageError(
                f"{option} is for several trainings: give --seeds, --folds or --preset best"
            )


def show(runs_dir: Path | None) -> None:
    """Starts a dashboard for the runs in ``runs_dir``. ConfigError if nothing is written."""
    from ..dash.listening import start_beside
    from ..errors import ConfigError

    if runs_dir is None:
        raise ConfigError(
            "--dash shows run folders, and none is written", help="set output.runs_dir"
        )
    runs_dir.mkdir(parents=True, exist_ok=True)
    say(f"dashboard: {start_beside(runs_dir, control=False)}")


def show_command(group: Path) -> str:
    """A command to paste after training several times."""
    return shlex.join(["chainrule", "runs", "show", str(group)])


def run_command(name: str, run: Path, data: str = "") -> str:
    """A command to paste after training once; with ``data``, it writes a file."""
    runs_dir = [] if str(run.parent) == "runs" else ["--runs-dir", str(run.parent)]
    short_name = run.name.rpartition("-")[2]
    output = [data, "-o", "out.csv"] if data else []
    return shlex.join(["chainrule", name, short_name, *output, *runs_dir])
