"""``chainrule eval RUN DATA [--min METRIC=VALUE]``."""

from __future__ import annotations

import math
from typing import Any

import click

from ..arguments import user_path
from ..phrasing import plain_number
from .kind_options import KindCommand
from .loading import loaded
from .options import common, json_option, runs_dir_option, threads_option
from .run_lookup import find_run
from .terminal import say, tell, tell_json, warn

__all__ = ["evaluate"]


@click.command("eval", cls=KindCommand, short_help="Evaluate a run on labelled data.")
@click.argument("run")
@click.argument("data")
@click.option(
    "--min",
    "at_least",
    multiple=True,
    metavar="METRIC=VALUE",
    help="Exit with code 1 if the metric is lower. Can be repeated.",
)
@click.option(
    "--max",
    "at_most",
    multiple=True,
    metavar="METRIC=VALUE",
    help="Exit with code 1 if the metric is higher. Can be repeated.",
)
@runs_dir_option
@threads_option
@json_option()
@common
def evaluate(
    run: str,
    data: str,
    at_least: tuple[str, ...],
    at_most: tuple[str, ...],
    runs_dir: str,
    threads: int | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Evaluate RUN (a folder, the end of its name, or `last`) on DATA with known targets, and
    print the metrics.

    DATA takes the same form as for `train`. The data of the training includes what the model has
    learned from: evaluate on other data.
    """
    place = find_run(run, user_path(runs_dir, "--runs-dir"))

    predictor, given = loaded("eval", place, threads, options)
    known = predictor.goal.metrics
    gates = [(*gate(text, known), 1) for text in at_least]
    gates += [(*gate(text, known), -1) for text in at_most]
    metrics = predictor.evaluate(data, **given)
    for finding in predictor.last_findings:
        warn(str(finding))
    failed = [
        f"{name} is {metrics[name]:.6g}, but must be at {'least' if sign > 0 else 'most'} {limit:g}"
        for name, limit, sign in gates
        if not sign * metrics[name] >= sign * limit  # NaN fails too
    ]
    if as_json:
        tell_json({"run": str(place), "metrics": metrics, "failed": failed}, indent=None)
    else:
        for name, value in metrics.items():
            tell(f"{name:<10} {plain_number(value)}")
    for text in failed:
        say(text, "failed:", fg="red", bold=True)
    return 1 if failed else 0


def gate(text: str, known: tuple[str, ...]) -> tuple[str, float]:
    """``accuracy=0.9`` as a pair. ConfigError for a metric that is not computed."""
    from ..errors import ConfigError, nearest

    name, _, limit = text.partition("=")
    if name not in known:
        near = nearest(name, known)
        hint = f"did you mean {near}? " if near else ""
        raise ConfigError(f"unknown metric {name!r}", help=f"{hint}known: {', '.join(known)}")
    try:
        bound = float(limit)
    except ValueError:
        bound = math.nan
    if math.isnan(bound):  # nothing would pass it
        raise ConfigError(f"{text!r} is not METRIC=NUMBER", help=f"write {name}=0.9")
    return name, bound
