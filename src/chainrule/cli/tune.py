"""``chainrule tune DATA``, ``chainrule tune RUN.toml``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..arguments import user_path
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
from .settings import (
    check_overrides,
    print_origins,
    resolve_settings,
)
from .terminal import graceful_signals, print_json, print_path, print_text

if TYPE_CHECKING:
    from ..tuning.search import Search
    from ..tuning.user_space import UserSpace

__all__ = ["tune"]


@click.command(cls=KindCommand, short_help="Search for better settings.")
@click.argument("source", metavar="DATA|RUN.toml")
@click.argument("overrides", metavar="[KEY=VALUE]...", nargs=-1, callback=check_overrides)
@click.option(
    "--trials", type=click.IntRange(1), default=30, show_default=True,
    help="Number of trials; the first has the settings as they are.",
)  # fmt: skip
@click.option("--time", metavar="TIME", help="Begin no more trials after this time, such as 10m.")
@jobs_option("Trials")
@ray_option
@click.option(
    "--space", metavar="FILE.toml", help="What is varied, instead of the table [tune] of RUN.toml."
)
@click.option("--show-space", is_flag=True, help="Print what is varied as TOML, and train nothing.")
@click.option("--epochs", type=int, help="Maximum number of epochs of each trial.")
@click.option("--metric", metavar="NAME", help="Judge trials by f1, roc_auc, rmse, ...")
@click.option(
    "--seed", type=int, help="Seed of the split, the trainings and the search.  [default: 0]"
)
@click.option("--name", help="Name of the search: it goes on in NAME-tune.")
@click.option("--runs-dir", help="Folder to write to.  [default: runs]")
@threads_option
@json_option("Print events as JSON lines on stdout.")
@quiet_option
@progress_option
@common
def tune(
    source: str, overrides: tuple[str, ...], trials: int, time: str | None, jobs: int | None,
    ray: str | None, space: str | None, show_space: bool, threads: int | None, as_json: bool,
    **options: Any,
) -> None:  # fmt: skip
    """Try settings on DATA, or around those of RUN.toml, and train the best ones.

    Trials are judged on validation data, and cut short if they are worse than most. Only the run
    of the best settings looks at the test part. The same command goes on where it was interrupted.
    (Here --time is the time there is; a column of time stamps is data.time=COLUMN.)

    The folder of the search has the best settings in best.toml, a page in tuning.html and all
    trials in study.db. The path of the best run is printed on stdout.
    """
    options = parse_options("tune", options)
    with graceful_signals():
        resolved = resolve_settings("tune", source, overrides, options)
        print_origins(resolved)
        load_engine(threads)
        from ..runs.carriers import InProcess
        from ..tuning.door import seconds_of
        from ..tuning.search import open_search
        from ..tuning.tuner import Limits, Tuner
        from .tuning_output import tuning_listener

        limits = Limits(trials, seconds_of(time))
        listener = tuning_listener(as_json, lambda setting: resolved.as_option(setting, "tune"))
        own = _space(source, space)
        search = open_search(resolved.kind, resolved.settings, None, listener, own)
        if show_space:
            _print_space(search, as_json)
            return
        carrier = chosen_carrier(ray, jobs) or InProcess()
        tuned = Tuner(search, limits, carrier, listener).run()
    assert tuned.predictor is not None
    if not as_json:
        print_path(tuned.predictor.run)


def _space(source: str, file: str | None) -> UserSpace:
    """What the user says of the space."""
    from ..tuning.user_space import NO_SPACE, file_space, run_space

    if file is not None:
        return file_space(user_path(file, "--space"))
    return run_space(Path(source)) if Path(source).suffix == ".toml" else NO_SPACE


def _print_space(search: Search, as_json: bool) -> None:
    """The space as a file that ``--space`` reads."""
    from ..runs.settings.toml import value_text

    document = search.space.to_document()
    if as_json:
        print_json(document)
        return
    for key, table in document.items():
        print_text(f'"{key}" = {value_text(table)}')
