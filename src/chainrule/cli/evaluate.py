"""``chainrule eval RUN DATA [--min METRIC=VALUE]``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from ..arguments import user_path
from ..phrasing import plain_number
from .kind_options import KindCommand
from .loading import load_predictor
from .options import common, json_option, runs_dir_option, threads_option
from .run_lookup import find_run
from .terminal import print_json, print_text, say, warn

__all__ = ["evaluate"]

#: what is larger is not read once more, only to tell whether it is known
HASHED_BYTES = 1 << 28


@click.command("eval", cls=KindCommand, short_help="Evaluate a run on labelled data.")
@click.argument("run")
@click.argument("data")
@click.option(
    "--min",
    "minimums",
    multiple=True,
    metavar="METRIC=VALUE",
    help="Exit with code 1 if the metric is lower. Can be repeated.",
)
@click.option(
    "--max",
    "maximums",
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
    minimums: tuple[str, ...],
    maximums: tuple[str, ...],
    runs_dir: str,
    threads: int | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Evaluate RUN (a folder, the end of its name, or `last`) on DATA with known targets, and
    print the metrics.

    DATA has the same form as for `train`. Do not evaluate on the training data: the model has
    already seen most of it.
    """
    folder = find_run(run, user_path(runs_dir, "--runs-dir"))

    predictor, kind_options = load_predictor("eval", folder, threads, options)
    known = tuple(predictor.metrics) or predictor.goal.metrics
    limits = [(*parse_limit(text, known), 1) for text in minimums]
    limits += [(*parse_limit(text, known), -1) for text in maximums]
    metrics = predictor.evaluate(data, **kind_options)
    for finding in predictor.last_findings:
        warn(str(finding))
    if was_trained_on(data, predictor.facts):
        warn("the run was trained on this data, so the metrics are too good: use other data")
    failed = [
        f"{name} is {metrics[name]:.6g}, but must be at {'least' if sign > 0 else 'most'} {limit:g}"
        for name, limit, sign in limits
        if not sign * metrics[name] >= sign * limit  # NaN fails too
    ]
    if as_json:
        print_json({"run": str(folder), "metrics": metrics, "failed": failed}, indent=None)
    else:
        labels = {name: predictor.goal.metric_label(name, predictor.classes) for name in metrics}
        width = max(10, *map(len, labels.values()))
        for name, value in metrics.items():
            print_text(f"{labels[name]:<{width}} {plain_number(value)}")
    for text in failed:
        say(text, "failed:", fg="red", bold=True)
    return 1 if failed else 0


def was_trained_on(data: str, facts: Mapping[str, Any]) -> bool:
    """Whether ``data`` is, by its path or what is in it, what the run was trained on."""
    from ..records import sha256_of

    recorded, path = facts.get("data", {}), Path(data)
    known = str(recorded.get("path", ""))
    if known and (data == known or (path.exists() and Path(known) == path.absolute())):
        return True
    fingerprint = str(recorded.get("fingerprint") or "").partition("+")[0]
    hashed = path.is_file() and path.stat().st_size <= HASHED_BYTES
    return hashed and fingerprint == sha256_of(path)


def parse_limit(text: str, known: tuple[str, ...]) -> tuple[str, float]:
    """``accuracy=0.9`` as a pair. ConfigError unless the metric is one of ``known``."""
    from ..errors import ConfigError, nearest

    name, _, number = text.partition("=")
    if name not in known:
        closest = nearest(name, known)
        hint = f"did you mean {closest}? " if closest else ""
        raise ConfigError(f"unknown metric {name!r}", help=f"{hint}known: {', '.join(known)}")
    try:
        limit = float(number)
    except ValueError:
        limit = math.nan
    if math.isnan(limit):  # nothing would pass
        raise ConfigError(f"{text!r} is not METRIC=NUMBER", help=f"write {name}=0.9")
    return name, limit
