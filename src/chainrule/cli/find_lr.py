"""``chainrule find-lr DATA|RUN.toml``."""

from __future__ import annotations

from typing import Any

import click

from .engine import engine
from .kind_options import KindCommand, read_options
from .options import common, json_option, quiet_option, threads_option
from .settings import chosen, setting_words, tell_origins
from .terminal import graceful, say, state, tell, tell_json

__all__ = ["find_lr"]


@click.command("find-lr", cls=KindCommand, short_help="Suggest a learning rate.")
@click.argument("source", metavar="DATA|RUN.toml")
@click.argument("words", metavar="[KEY=VALUE]...", nargs=-1, callback=setting_words)
@click.option("--start", type=float, default=1e-6, show_default=True, help="Lowest learning rate.")
@click.option("--end", type=float, default=10.0, show_default=True, help="Highest learning rate.")
@click.option("--steps", type=int, default=100, show_default=True, help="Number of training steps.")
@click.option("--plot", is_flag=True, help="Plot the loss against the learning rate.")
@threads_option
@json_option()
@quiet_option
@common
def find_lr(
    source: str, words: tuple[str, ...], start: float, end: float, steps: int, plot: bool,
    threads: int | None, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Train for a few steps with a rising learning rate, and suggest one. Nothing is written.

    The suggestion is printed on stdout as a setting, and the reason on stderr, so this works:
    `chainrule train heart $(chainrule find-lr heart)`. The exit code is 1 if the curve does not
    suggest a rate.
    """
    with graceful():
        run = chosen("find-lr", source, words, read_options("find-lr", options))
        tell_origins(run)
        engine(threads)
        from ..runs.dry_run import find_lr as search

        found = search(run.kind, run.settings, start=start, end=end, steps=steps)
    if as_json:
        curve = {"rates": found.rates, "losses": found.losses, "smoothed": found.smoothed}
        facts = {
            "suggestion": found.suggestion,
            "reason": found.reason,
            "steepest": found.steepest,
            "minimum": found.minimum,
            **{name: values.tolist() for name, values in curve.items()},
        }
        tell_json(facts)
    if plot and not as_json:
        from ..train.diagnosis.ratesketch import sketch_rates

        say(sketch_rates(found))
    if not state.quiet and not as_json:
        say(found.reason)
    if found.suggestion is None:
        raise click.exceptions.Exit(1)
    if not as_json:
        tell(f"train.lr={found.suggestion:.2g}")
