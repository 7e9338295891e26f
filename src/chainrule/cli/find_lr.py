"""``chainrule find-lr DATA|RUN.toml``."""

from __future__ import annotations

from typing import Any

import click

from .engine import load_engine
from .kind_options import KindCommand, parse_options
from .options import common, json_option, quiet_option, threads_option
from .settings import check_overrides, print_origins, resolve_settings
from .terminal import graceful_signals, print_json, print_text, say, state

__all__ = ["find_lr"]


@click.command("find-lr", cls=KindCommand, short_help="Suggest a learning rate.")
@click.argument("source", metavar="DATA|RUN.toml")
@click.argument("overrides", metavar="[KEY=VALUE]...", nargs=-1, callback=check_overrides)
@click.option("--start", type=float, default=1e-6, show_default=True, help="Lowest learning rate.")
@click.option("--end", type=float, default=10.0, show_default=True, help="Highest learning rate.")
@click.option("--steps", type=int, default=100, show_default=True, help="Number of training steps.")
@click.option("--plot", is_flag=True, help="Plot the loss against the learning rate.")
@threads_option
@json_option()
@quiet_option
@common
def find_lr(
    source: str, overrides: tuple[str, ...], start: float, end: float, steps: int, plot: bool,
    threads: int | None, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Train for a few steps with a rising learning rate, and suggest one. Nothing is written.

    The suggestion is printed on stdout as a setting, and the reason on stderr, so this works:
    `chainrule train heart $(chainrule find-lr heart)`. The exit code is 1 if the curve suggests no
    rate.
    """
    with graceful_signals():
        resolved = resolve_settings("find-lr", source, overrides, parse_options("find-lr", options))
        print_origins(resolved)
        load_engine(threads)
        from ..runs.dry_run import find_lr as search_rate

        search = search_rate(resolved.kind, resolved.settings, start=start, end=end, steps=steps)
    if as_json:
        curve = {"rates": search.rates, "losses": search.losses, "smoothed": search.smoothed}
        facts = {
            "suggestion": search.suggestion,
            "reason": search.reason,
            "steepest": search.steepest,
            "minimum": search.minimum,
            **{name: values.tolist() for name, values in curve.items()},
        }
        print_json(facts)
    if plot and not as_json:
        from ..train.diagnosis.ratesketch import sketch_rates

        say(sketch_rates(search))
    if not state.quiet and not as_json:
        say(search.reason)
    if search.suggestion is None:
        raise click.exceptions.Exit(1)
    if not as_json:
        print_text(f"train.lr={search.suggestion:.2g}")
