"""The report of a group of runs: what each reached, and what all say together."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..arguments import user_path
from ..markup import EMPTY, Markup, element
from ..phrasing import counted, format_number, percent
from ..runs.loading import read_group_facts
from ..train.checkpoints.weights_file import write_whole
from ..unverified import number, table, text
from .page import document
from .parts import data_table, paragraph, section
from .words import moment

__all__ = ["group_facts", "group_html", "write_group_report"]

Facts = Mapping[str, Any]


def write_group_report(
    group: str | os.PathLike[str], out: str | os.PathLike[str] | None = None
) -> Path:
    """Writes the report of a group to ``out``, or to ``report.html`` in its folder.

    Returns the path. Raises StateError if ``group`` is not a group, or the page cannot be written.
    """
    folder = user_path(group, "the run folder")
    target = folder / "report.html" if out is None else user_path(out, "the page")
    write_whole(target, group_html(folder).encode("utf-8"))
    return target


def group_facts(group: Path) -> dict[str, Any]:
    """Everything in the report of a group of runs. Raises StateError if ``group`` is none."""
    facts = read_group_facts(group)
    members = {
        name: {
            "run": text(table(member).get("run")),
            "metrics": table(table(member).get("metrics")),
        }
        for name, member in table(facts["members"]).items()
    }
    planned = [str(name) for name in facts.get("planned", members)]
    return {
        "format": "chainrule.group_report",
        "version": 1,
        "run": group.absolute().name,
        "path": str(group),
        "title": f"{counted(len(planned), 'run')} of {facts['name']}",
        "status": facts["status"],
        "started": facts["started"],
        "planned": planned,
        "members": members,
        "summary": {name: table(s) for name, s in facts["summary"].items()},
        "together": table(facts.get("together")),
        "shares": table(table(facts.get("ensemble")).get("weights")),
    }


def group_html(group: str | os.PathLike[str]) -> str:
    """The report of a group as HTML; see `group_facts`."""
    facts = group_facts(user_path(group, "the run folder"))
    head = element(
        "header",
        element("p", "Training report", class_="eyebrow"),
        element("h1", facts["title"]),
        paragraph(_words(facts), "lede"),
        paragraph(f"Started {moment(facts['started'])}.", "quiet"),
    )
    parts = (head, _results(facts), _members(facts), _next(facts))
    return document(facts["title"], parts)


def _words(facts: Facts) -> str:
    done, planned = len(facts["members"]), len(facts["planned"])
    if done < planned:
        return f"{done} of {counted(planned, 'run')} are done."
    for metric, value in facts["together"].items():
        own = facts["summary"].get(metric, {}).get("mean")
        if facts["shares"]:
            return f"The networks answer together: {metric} is {format_number(number(value))}."
        return (
            f"On the test part, which is the same for all, {metric} is {format_number(own)} on "
            f"average, and {format_number(number(value))} if all answer together."
        )
    return "Each run was tested on its own part of the data."


def _results(facts: Facts) -> Markup:
    if not facts["summary"]:
        return EMPTY
    heads = ["metric", "mean", "std", "lowest", "highest"]
    heads += ["all together"] if facts["together"] else []
    rows = []
    for name, s in facts["summary"].items():
        cells = [number(s.get(key)) for key in ("mean", "std", "min", "max")]
        cells += [number(facts["together"].get(name))] if facts["together"] else []
        rows.append([name, *map(format_number, cells)])
    words = "Metrics on the test part: over the runs, and of the mean of all predictions"
    return section("Result", [data_table(words, heads, rows, numbers=range(1, len(heads)))])


def _members(facts: Facts) -> Markup:
    metrics = list(facts["summary"])
    shares = facts["shares"]  # of an ensemble: what each network counts in the common answer
    rows = [
        [
            name,
            *(format_number(number(m["metrics"].get(metric))) for metric in metrics),
            *([percent(number(shares.get(name)) or 0.0)] if shares else []),
            m["run"],
        ]
        for name, m in facts["members"].items()
    ]
    heads = ["run", *metrics, *(["share"] if shares else []), "folder"]
    words = "Metrics of each run" + (", and what it counts in the common answer" if shares else "")
    numbers = range(1, len(heads) - 1)
    return section("Runs", [data_table(words, heads, rows, numbers=numbers)])


def _next(facts: Facts) -> Markup:
    group = facts["path"]
    commands = {"Report on one of the runs": ["chainrule", "report", "RUN"]}
    if len(facts["members"]) == len(facts["planned"]):
        commands = {"Predict with all of them": ["chainrule", "predict", group, "DATA"], **commands}
    else:
        commands = {"Train the others": ["chainrule", "resume", group]}
    if facts["members"]:
        first = next(iter(facts["members"].values()))["run"]
        commands = {
            k: [str(Path(group) / first) if w == "RUN" else w for w in words]
            for k, words in commands.items()
        }
    parts = []
    for what, words in commands.items():
        parts += [element("h3", what), element("pre", shlex.join(words))]
    return section("Next steps", parts)
