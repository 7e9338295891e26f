"""``chainrule find-lr DATA|RUN.toml``."""

from __future__ import annotations

import click

from .engine import engine
from .options import common, json_option, quiet_option, threads_option
from .starting import gathered, setting_words, tell_origins
from .terminal import graceful, say, state, tell, tell_json

__all__ = ["find_lr"]


@click.command("find-lr", short_help="Find a learning rate.")
@click.argument("source", metavar="DATA|RUN.toml")
@click.argument("words", metavar="[KEY=VALUE]...", nargs=-1, callback=setting_words)
@click.option("--target", metavar="COLUMN", help="The column to predict.")
@click.option("--query", metavar="SQL", help="One SELECT on the table, which is called data.")
@click.option("--start", type=float, default=1e-6, show_default=True, help="The lowest rate.")
@click.option("--end", type=float, default=10.0, show_default=True, help="The highest rate.")
@click.option("--steps", type=int, default=100, show_default=True, help="Updates of the ramp.")
@click.option("--plot", is_flag=True, help="Draw the loss over the rate.")
@threads_option
@json_option()
@quiet_option
@common
def find_lr(
    source: str, words: tuple[str, ...], target: str | None, query: str | None, start: float,
    end: float, steps: int, plot: bool, threads: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Train a few steps while the learning rate rises, and suggest one; nothing is written.

    The suggestion is printed on stdout as a setting to paste, the reason on stderr:
    `chainrule train heart $(chainrule find-lr heart)`. Exit code 1: the curve suggests no rate.
    """
    with graceful():
        settings = gathered(source, words, {"target": target, "query": query})
        tell_origins(settings)
        engine(threads)
        from ..table.ratefinding import find_lr as search

        found = search(settings.settings, start=start, end=end, steps=steps)
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
        from ..train.ratesketch import sketch_rates

        say(sketch_rates(found))
    if not state.quiet and not as_json:
        say(found.reason)
    if found.suggestion is None:
        raise click.exceptions.Exit(1)
    if not as_json:
        tell(f"train.lr={found.suggestion:.2g}")
