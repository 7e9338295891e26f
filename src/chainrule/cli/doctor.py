"""``chainrule doctor RUN`` and ``chainrule explain CODE``."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import click

from ..arguments import user_path
from ..phrasing import counted
from ..showing import visible
from .engine import load_engine
from .options import common, json_option, quiet_option, runs_dir_option, threads_option
from .run_lookup import find_run
from .terminal import graceful_signals, print_json, print_text, say, state, use_colour

if TYPE_CHECKING:
    from ..doctor import Diagnosis

__all__ = ["doctor", "explain"]

COLOURS = {"error": "red", "warning": "yellow", "info": "cyan"}
SEVERITIES = ("warning", "error")
WIDTH = 96


def parse_codes(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
    """``T305,T403``."""
    return tuple(code.strip().upper() for code in value.split(",")) if value else ()


@click.command(short_help="Say what goes wrong in a training.")
@click.argument("run")
@click.option(
    "--fail-on",
    type=click.Choice(SEVERITIES),
    help="Exit with 1 if anything this severe is found.",
)
@click.option(
    "--ignore", metavar="CODES", callback=parse_codes, help="Leave rules out, such as T305,T403."
)
@threads_option
@json_option("Print what was found as JSON on stdout.")
@quiet_option
@runs_dir_option
@common
def doctor(
    run: str, fail_on: str | None, ignore: tuple[str, ...], threads: int | None, as_json: bool,
    runs_dir: str,
) -> None:  # fmt: skip
    """Look for what goes wrong in RUN (a folder, the end of its name, or `last`): gradients, steps,
    fit, data and speed, each with the numbers that speak for it, and with what to change.

    `chainrule explain CODE` says what a code means and why it happens.
    """
    folder = find_run(run, user_path(runs_dir, "--runs-dir"), unfinished=True)
    with graceful_signals():
        load_engine(threads)
        from ..doctor import evidence_of_run, examine_evidence

        evidence = evidence_of_run(folder)
        found = examine_evidence(evidence, ignore)
    if as_json:
        print_json(
            {
                "run": str(folder),
                "diagnoses": [d.to_dict() for d in found],
                "looked_at": evidence.looked_at,
                "missing": list(evidence.missing),
            }
        )
    else:
        for diagnosis in found:
            click.echo(format_diagnosis(diagnosis), color=use_colour())
        if not state.quiet:
            say(closing(found, evidence.missing))
    grave = SEVERITIES[SEVERITIES.index(fail_on) :] if fail_on else ()
    if any(d.severity in grave for d in found):
        raise click.exceptions.Exit(1)


def closing(found: list[Diagnosis], missing: tuple[str, ...]) -> str:
    """How much was found, and what could not be looked at."""
    head = "nothing found"
    if found:
        which = "it" if len(found) == 1 else "the first one"
        head = (
            f"{counted(len(found), 'finding')}: chainrule explain {found[0].code} explains {which}"
        )
    return "\n".join([head, *(f"not examined: {what}" for what in missing)])


def format_diagnosis(diagnosis: Diagnosis) -> str:
    """Code and title, the sentence, and what to try."""
    head = click.style(diagnosis.code, fg=COLOURS[diagnosis.severity])
    lines = [f"{head}  {diagnosis.rule.title}"]
    lines += textwrap.wrap(visible(diagnosis.sentence), WIDTH, initial_indent="      ",
                           subsequent_indent="      ")  # fmt: skip
    for label, remedy in (("run.toml", diagnosis.rule.setting), ("Python", diagnosis.rule.python)):
        if remedy:
            lines.append(f"      -> {label}: {remedy}")
    return "\n".join(lines)


@click.command(short_help="Explain a code of the doctor or of a finding.")
@click.argument("code", required=False)
@common
def explain(code: str | None) -> None:
    """Explain CODE, such as T103: what it means, why it happens, how it looks, and what to change.

    Without CODE, all of them are listed.
    """
    from ..doctor.pages import page, titles

    print_text(page(code) if code else titles())
