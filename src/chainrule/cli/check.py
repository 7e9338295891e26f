"""``chainrule check DATA|RUN.toml``."""

from __future__ import annotations

import textwrap
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from ..showing import visible
from .engine import load_engine
from .kind_options import KindCommand, parse_options
from .options import common, json_option, quiet_option, threads_option
from .settings import check_overrides, print_origins, resolve_settings
from .terminal import graceful_signals, print_json, say, state, use_colour

if TYPE_CHECKING:
    from ..runs.checks.result import Check

__all__ = ["check"]

COLOURS = {"ok": "green", "warning": "yellow", "failed": "red"}
NAME_WIDTH = 20
LINE_WIDTH = 100


@click.command(cls=KindCommand, short_help="Look for problems before training.")
@click.argument("source", metavar="DATA|RUN.toml")
@click.argument("overrides", metavar="[KEY=VALUE]...", nargs=-1, callback=check_overrides)
@threads_option
@json_option()
@quiet_option
@common
def check(
    source: str, overrides: tuple[str, ...], threads: int | None, as_json: bool, **options: Any
) -> None:
    """Check the data, the model and the cost of training, without a full training run.

    Each check is ok, a warning or failed, and says what it found and what to do about it. Nothing
    is written. The exit code is 1 if any check failed.
    """
    started = time.perf_counter()
    results = []
    with graceful_signals():
        resolved = resolve_settings("check", source, overrides, parse_options("check", options))
        print_origins(resolved)
        load_engine(threads)
        from ..runs.checks.registry import run_checks

        for result in run_checks(resolved.kind, resolved.settings):
            results.append(result)
            if not as_json:
                click.echo(format_check(result), color=use_colour())
    counts = Counter(str(result.status) for result in results)
    if as_json:
        document = {
            "status": "failed" if counts["failed"] else "warning" if counts["warning"] else "ok",
            "seconds": time.perf_counter() - started,
            "checks": [result.to_dict() for result in results],
        }
        print_json(document)
    elif not state.quiet:
        totals = ", ".join(f"{counts[status]} {status}" for status in COLOURS if counts[status])
        say(f"{len(results)} checks: {totals}, in {time.perf_counter() - started:.1f} s")
    if counts["failed"]:
        raise click.exceptions.Exit(1)


def format_check(result: Check) -> str:
    """Status, name and evidence, with control characters made visible; a line per remedy."""
    status = click.style(f"{result.status:<8}", fg=COLOURS[result.status])
    indent = " " * (8 + NAME_WIDTH)
    lines = []
    for i, evidence in enumerate(map(visible, result.evidence)):
        first = f"{result.name:<{NAME_WIDTH}}" if i == 0 else " " * NAME_WIDTH
        wrapped = textwrap.wrap(evidence, LINE_WIDTH - len(indent)) or [""]
        lines.append((status if i == 0 else " " * 8) + first + wrapped[0])
        lines += [indent + line for line in wrapped[1:]]
    # Not wrapped, so that it can be pasted.
    lines += [f"{indent}-> {visible(remedy)}" for remedy in result.remedies]
    return "\n".join(lines)
