"""The report as a single HTML file: no scripts, no network, no fonts to load."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..arguments import user_path
from ..markup import EMPTY, Markup, element, joined
from ..phrasing import counted, format_number, listed
from ..train.checkpoints.weights_file import write_whole
from .facts import report_facts
from .parts import data_table, paragraph, section
from .results import results
from .style import POLICY, STYLE
from .training import training
from .words import duration, moment

__all__ = ["document", "page", "report_html", "write_report"]

Facts = Mapping[str, Any]

PARTS = {"train": "training", "test": "testing"}
#: a sign for each status, so that colour is not the only difference
SIGNS = {"done": "✓", "running": "…", "interrupted": "‖", "failed": "✕", "killed": "✕"}


def write_report(
    run: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    running: bool = False,
) -> Path:
    """Writes the report of a run folder to ``out``, or to ``report.html`` in the folder.

    Returns the path. Raises StateError if ``run`` is not a run folder, or the page cannot be
    written.
    """
    folder = user_path(run, "the run folder")
    target = folder / "report.html" if out is None else user_path(out, "the page")
    write_whole(target, report_html(folder, running=running).encode("utf-8"))
    return target


def report_html(run: str | os.PathLike[str], *, running: bool = False) -> str:
    """The report of a run folder as HTML; see `report_facts`."""
    return page(report_facts(user_path(run, "the run folder"), running=running))


def page(facts: Facts) -> str:
    """The document of `report_facts` as HTML."""
    return document(
        facts["title"],
        (
            _headline(facts),
            _troubles(facts["troubles"]),
            training(facts),
            results(facts),
            _data(facts),
            _timeline(facts["notes"]),
            _next(facts["commands"]),
            _details(facts),
        ),
        _footer(facts),
    )


def document(title: str, parts: Sequence[Markup], footer: Markup = EMPTY) -> str:
    """A whole page."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Markup(STYLE)),
    )
    body = element("body", element("main", *parts), footer)
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


# --------------------------------------------------------------------------------- the top


def _headline(facts: Facts) -> Markup:
    bad = facts["status"] not in ("done", "running", "interrupted")
    sign = SIGNS.get(facts["status"], "?")
    status = element(
        "span", f"{sign} {facts['status_words']}", class_=f"status{' bad' if bad else ''}"
    )
    return element(
        "header",
        element("p", "Training report", class_="eyebrow"),
        element("h1", facts["title"]),
        paragraph(facts["summary"]),
        paragraph(facts["result"], "lede"),
        element("p", status),
        element("pre", facts["error"]) if facts["error"] else EMPTY,
        element("dl", *_key_facts(facts), class_="facts"),
    )


def _key_facts(facts: Facts) -> list[Markup]:
    pairs: list[tuple[str, str, str]] = []
    for metric in facts["metrics"][:1]:
        where = f"{facts['words']['judged']} {facts['words']['units']}"
        pairs.append((f"{metric['name']} on {where}", format_number(metric["test"]), "key"))
        pairs.append((facts["words"]["baseline"], format_number(metric["baseline"]), ""))
    if facts["best"]:
        of = facts["history"]["epoch"][-1]
        pairs.append(("best epoch", f"{facts['best']['epoch']:,} of {of:,}", ""))
    for name, value in (
        ("time", duration(facts["seconds"])),
        ("seed", "" if facts["seed"] is None else str(facts["seed"])),
        ("started", moment(facts["started"])),
    ):
        if value:
            pairs.append((name, value, ""))
    return [
        element("div", element("dt", name), element("dd", value), class_=style or None)
        for name, value, style in pairs
    ]


def _troubles(troubles: Sequence[str]) -> Markup:
    if not troubles:
        return EMPTY
    return element(
        "section",
        element("h2", "Missing from this report"),
        element("ul", *(element("li", words) for words in troubles)),
    )


# ------------------------------------------------------------------------------------ data


def _data(facts: Facts) -> Markup:
    data, split = facts["data"], facts["split"]
    unit, units = facts["words"]["unit"], facts["words"]["units"]
    parts = []
    if data["rows"] is not None:
        words = counted(data["rows"], unit, units)
        words += "" if data["columns"] is None else f" of {counted(data['columns'], 'column')}"
        words += f", from {data['path']}" if data["path"] else ""
        shares = [f"{counted(n, unit, units)} for {PARTS.get(k, k)}" for k, n in split.items()]
        parts.append(paragraph(f"{words}. {listed(shares)}." if shares else f"{words}."))
    if facts["columns"]:
        parts.append(_columns(facts))
    if more := facts["more_columns"]:
        parts.append(paragraph(f"And {counted(more, 'column')} more.", "quiet"))
    if facts["findings"]:
        parts.append(element("h3", "Findings"))
        parts += [_finding(f) for f in facts["findings"]]
    elif data["rows"] is not None:
        parts.append(paragraph("Nothing unusual was found in the data.", "quiet"))
    return section("Data", parts)


def _columns(facts: Facts) -> Markup:
    units = facts["words"]["units"]
    rows = []
    for column in facts["columns"]:
        missing = "–" if column["missing"] is None else f"{column['missing']:,}"
        also = column["counted_as_missing"]
        note = f"; {listed(also)} counts as missing" if also else ""
        rows.append([column["name"], column["kind"], column["treatment"] + note, missing])
    words = f"Columns: kind, how they are used, values missing from the training {units}"
    heads = ["column", "kind", "how it is used", "missing"]
    return data_table(words, heads, rows, numbers=(3,), long=(0, 2))


def _finding(finding: Mapping[str, Any]) -> Markup:
    warning = finding["severity"] == "warning"
    mark = element("span", "! warning" if warning else "· note", class_="mark")
    head = element("p", mark, f" {finding['code']}: {finding['message']}")
    evidence = f"Evidence: {finding['evidence']}" if finding["evidence"] else ""
    parts = [head, paragraph(evidence, "quiet"), _fix(finding)]
    return element("div", *parts, class_="finding warning" if warning else "finding")


def _fix(finding: Mapping[str, Any]) -> Markup:
    """A setting as code, advice as plain text; for old runs, which it is is not known."""
    fix, advice = finding["fix"], finding["advice"]
    if not fix:
        return EMPTY
    if fix == advice:
        return paragraph(f"Fix: {advice}")
    more = f" ({advice})" if advice else ""
    return element("p", "Fix: ", element("code", fix.removesuffix(more)), more)


# ------------------------------------------------------------------------------- the rest


def _timeline(notes: Sequence[Mapping[str, str]]) -> Markup:
    """The events of the training, unless it only started and ended."""
    if all(note["event"] in ("start", "done") for note in notes):
        return EMPTY
    rows = [[moment(note["time"]), note["message"]] for note in notes]
    table = data_table("Events by time", ["time", "event"], rows, long=(1,))
    return section("Timeline", [table])


def _next(commands: Sequence[Mapping[str, str]]) -> Markup:
    parts = []
    for c in commands:
        parts += [element("h3", c["what"].capitalize()), element("pre", c["command"])]
    return section("Next steps", parts)


def _details(facts: Facts) -> Markup:
    """Settings and environment, folded."""
    parts = []
    if facts["config"]:
        inner = element("pre", facts["config"], class_="settings")
        parts.append(element("details", element("summary", "Settings (run.toml)"), inner))
    environment = [("run folder", facts["path"]), *facts["environment"].items()]
    if facts["data"]["fingerprint"]:
        environment.append(("data", facts["data"]["fingerprint"]))
    pairs = [m for name, v in environment for m in (element("dt", name), element("dd", v))]
    inner = element("dl", *pairs, class_="plain")
    parts.append(element("details", element("summary", "Environment"), inner))
    if facts["metrics"]:
        words = [(m["name"], m["words"]) for m in facts["metrics"]]
        pairs = [m for n, w in words if w for m in (element("dt", n), element("dd", w))]
        inner = element("dl", *pairs, class_="plain")
        parts.append(element("details", element("summary", "What the metrics mean"), inner))
    return section("Details", parts)


def _footer(facts: Facts) -> Markup:
    version = facts["environment"].get("chainrule", "")
    return element("footer", joined("Written by Chainrule", f" {version}" if version else "", "."))
