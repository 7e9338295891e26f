"""The first ``run.toml`` for a table: what was inferred, to be edited."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ...arguments import path_beside
from ...data import Kind, Table, infer_schema
from ...runs.modality import Draft
from .opening import complete_settings, open_table
from .settings import Settings

__all__ = ["draft"]


def draft(settings: Settings, output: Path) -> Draft[Settings]:
    """``settings`` completed with what is inferred: the task, the kind of every column, and which
    values are missing; with comments for `Settings.to_toml` and findings.

    The path of the data is relative to the folder of ``output``, where the text will be written.
    """
    origin = settings.data.path
    table, bundled = open_table(origin, settings.data.query or None)
    settings = complete_settings(settings, origin, table, bundled)
    data = settings.data
    fixed: dict[str, Kind] = {c: k for c, k in data.columns.items() if k != "ignored"}
    schema, findings = infer_schema(
        table.with_missing(data.missing).with_formats(data.formats),
        data.target,
        task=data.fixed_task,
        kinds=fixed,
        missing=data.missing,
        formats=data.formats,
        ignore=[c for c, k in data.columns.items() if k == "ignored"],
    )
    kinds: dict[str, Kind] = {c.name: c.kind for c in schema.columns}
    if data.target in fixed:
        kinds[data.target] = fixed[data.target]
    comments = dict(Settings.descriptions())
    for name in kinds:
        comments["data", "columns", name] = _summary(table, name)
    if not bundled:
        data = replace(data, path=path_beside(data.path, output))
    task = schema.task or data.task
    target = schema.target
    if target is not None and target.classes:
        labels = ", ".join(map(str, target.classes[:8]))
        comments["data", "task"] = f"{len(target.classes)} classes: {labels}"
    drafted = replace(settings, data=replace(data, task=task, columns=kinds))
    return Draft(drafted, comments, tuple(findings))


def _summary(table: Table, name: str) -> str:
    """What is in a column, in a few words."""
    stats = table.stats(name)
    missing = stats.rows - stats.present
    gaps = f", {missing} missing" if missing else ""
    if stats.storage == "number":
        return f"{stats.minimum:g} to {stats.maximum:g}{gaps}"
    return f"{stats.distinct} different{gaps}"
