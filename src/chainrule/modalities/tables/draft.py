"""The first ``run.toml`` of a table: what was inferred, each line to be changed."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from ...arguments import user_path
from ...data import Kind, Table, infer_schema
from ...runs.modality import Draft
from .opening import completed, open_table
from .settings import Settings

__all__ = ["draft"]


def draft(settings: Settings, output: Path) -> Draft[Settings]:
    """``settings`` with the task, the kind of every column, and what is missing, as inferred.

    Beside them come comments for `Settings.to_toml`, and what was noticed. The path of the data
    counts from the folder of ``output``, where the text will be.
    """
    origin = settings.data.path
    table, known = open_table(origin, settings.data.query or None)
    settings = completed(settings, origin, table, known)
    data = settings.data
    fixed: dict[str, Kind] = {c: k for c, k in data.columns.items() if k != "ignored"}
    schema, findings = infer_schema(
        table.with_missing(data.missing),
        data.target,
        task=data.wanted_task,
        kinds=fixed,
        missing=data.missing,
        ignore=[c for c, k in data.columns.items() if k == "ignored"],
    )
    kinds: dict[str, Kind] = {c.name: c.kind for c in schema.columns}
    if data.target in fixed:
        kinds[data.target] = fixed[data.target]
    comments = dict(Settings.descriptions())
    for name in kinds:
        comments["data", "columns", name] = _seen(table, name)
    if not known:
        folder = user_path(output, "the output").absolute().parent
        data = replace(data, path=os.path.relpath(data.path, folder))
    task = schema.task or data.task
    goal = schema.target
    if goal is not None and goal.classes:
        labels = ", ".join(map(str, goal.classes[:8]))
        comments["data", "task"] = f"{len(goal.classes)} classes: {labels}"
    drafted = replace(settings, data=replace(data, task=task, columns=kinds))
    return Draft(drafted, comments, tuple(findings))


def _seen(table: Table, name: str) -> str:
    """What is in a column, in a few words."""
    facts = table.stats(name)
    lost = facts.rows - facts.present
    gaps = f", {lost} missing" if lost else ""
    if facts.storage == "number":
        return f"{facts.minimum:g} to {facts.maximum:g}{gaps}"
    return f"{facts.distinct} different{gaps}"
