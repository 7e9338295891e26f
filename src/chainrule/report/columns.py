"""How each column of a table is turned into inputs of the network, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..phrasing import counted, format_number, listed, percent
from ..runs.modality import Words
from ..unverified import items, number, table, text, whole
from .run_files import RunFiles

__all__ = ["COLUMNS", "columns"]

CATEGORIES = 12  # named per column
COLUMNS = 500  # listed


def columns(files: RunFiles, words: Words) -> list[dict[str, Any]]:
    """The columns of the schema, and how each is used."""
    encoders: dict[str, Mapping[str, Any]] = {
        text(e.get("column")): e for e in map(table, items(files.pipeline.get("encoders")))
    }
    missing = table(files.evaluation.get("missing"))
    as_missing = table(files.pipeline.get("missing"))
    described = []
    for column in map(table, items(files.pipeline.get("columns"))[:COLUMNS]):
        name = text(column.get("name"))
        encoder = encoders.get(name)
        described.append(
            {
                "name": name,
                "kind": text(column.get("kind")) if encoder else "ignored",
                "treatment": _treatment(encoder, words) if encoder else "left out",
                "missing": whole(missing.get(name)),
                "counted_as_missing": [text(v) for v in items(as_missing.get(name))],
            }
        )
    return described


def _treatment(encoder: Mapping[str, Any], words: Words) -> str:
    kind = encoder.get("type")
    if kind == "category":
        names = [text(c) if c is not None else "missing" for c in items(encoder.get("categories"))]
        how = "one input each" if encoder.get("one_hot") else "as an embedding"
        listing = f": {listed(names, most=CATEGORIES)}" if names else ""
        rare = len(items(encoder.get("known_rare")))
        rest = f"; {counted(rare, 'rare one')} grouped together" if rare else ""
        return f"{counted(len(names), 'category', 'categories')}, {how}{listing}{rest}"
    if kind == "text":
        each = [text(word) for word in items(encoder.get("words"))]
        return f"by {counted(len(each), 'word')}: {listed(each, most=CATEGORIES)}"
    if encoder.get("read_as") == "truth" and (mean := number(encoder.get("mean"))) is not None:
        return f"true in {percent(mean)} of the {words.units}{_gaps_text(encoder)}"
    spread = f"mean {format_number(encoder.get('mean'))}, std {format_number(encoder.get('std'))}"
    if kind == "datetime":
        parts = [text(p) for p in items(encoder.get("parts"))]
        return f"as {listed(parts)}" if parts else "as a time"
    return f"{spread}{_gaps_text(encoder)}"


def _gaps_text(encoder: Mapping[str, Any]) -> str:
    if not encoder.get("indicator"):
        return ""
    fill = format_number(encoder.get("fill"))
    return f"; gaps are filled with {fill} and flagged by an input of their own"
