"""``chainrule check DATA|RUN.toml``."""

from __future__ import annotations

import textwrap
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from ..showing import visible
from .engine import engine
from .kind_options import KindCommand, read_options
from .options import common, json_option, quiet_option, threads_option
from .settings import chosen, setting_words, tell_origins
from .terminal import colour, graceful, say, state, tell_json

if TYPE_CHECKING:
    from ..runs.checks.result import Check

__all__ = ["check"]

COLOURS = {"ok": "green", "warning": "yellow", "failed": "red"}
NAMES = 20
WIDTH = 100


@click.command(cls=KindCommand, short_help="Look for problems before training.")
@click.argument("source", metavar="DATA|RUN.toml")
@click.argument("words", metavar="[KEY=VALUE]...", nargs=-1, callback=setting_words)
@threads_option
@json_option()
@quiet_option
@common
def check(
    source: str, words: tuple[str, ...], threads: int | None, as_json: bool, **options: Any
) -> None:  # fmt: skip
    """Check the data, the model and the cost of training, without a full training run.

    Each check is ok, a warning or failed, and says what it found and what to do about it. Nothing
    is written. The exit code is 1 if a check failed.
    """
    begun = time.perf_counter()
    results = []
    with graceful():
        found = chosen("check", source, words, read_options("check", options))
        tell_origins(found)
        engine(threads)
        from ..runs.checks.registry import run_checks

        for result in run_checks(found.kind, found.settings):
            results.append(result)
            if not as_json:
                click.echo(text_of(result), color=colour())  # whose texts are visible
    counts = Counter(str(result.status) for result in results)
    if as_json:
        document = {
            "status": "failed" if counts["failed"] else "warning" if counts["warning"] else "ok",
            "seconds": time.perf_counter() - begun,
            "checks": [result.to_dict() for result in results],
        }
        tell_json(document)
    elif not state.quiet:
        listed = ", ".join(f"{counts[status]} {status}" for status in COLOURS if counts[status])
        say(f"{len(results)} checks: {listed}, in {time.perf_counter() - begun:.1f} s")
    if counts["failed"]:
        raise click.exceptions.Exit(1)


def text_of(result: Check) -> str:
    """Status, name, evidence; a line for each remedy."""
    status = click.style(f"{result.status:<8}", fg=COLOURS[result.status])
    indent = " " * (8 + NAMES)
    lines = []
    for i, evidence in enumerate(map(visible, result.evidence)):
        first = f"{result.name:<{NAMES}}" if i == 0 else " " * NAMES
        wrapped = textwrap.wrap(evidence, WIDTH - len(indent)) or [""]
        lines.append((status if i == 0 else " " * 8) + first + wrapped[0])
        lines += [indent + line for line in wrapped[1:]]
    # Not wrapped: what is there is to be pasted.
    lines += [f"{indent}-> {visible(remedy)}" for remedy in result.remedies]
    return "\n".join(lines)
