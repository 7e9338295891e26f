"""The settings described: parts of the JSON Schema, and the tables of the documentation."""

from __future__ import annotations

from typing import Any

from ...errors import nearest
from .document import RunSettings
from .fields import SettingError, about, describe_values
from .section import Choice, Section
from .toml import value_text

__all__ = ["markdown", "section_schema", "sections"]

#: lines above the first setting of a Markdown table
HEAD_LINES = 2


def sections(root: type[RunSettings]) -> dict[str, type[Section]]:
    """Every section by its dotted name, in order; the top level is ``""``."""
    return _with_inner_sections(root)


def _with_inner_sections(cls: type[Section]) -> dict[str, type[Section]]:
    by_name: dict[str, type[Section]] = {cls.TABLE: cls}
    if not issubclass(cls, Choice):
        for name in cls.hints():
            inner = cls.section(name)
            by_name |= _with_inner_sections(inner) if inner else {}
    return by_name


def section_schema(name: str, root: type[RunSettings]) -> dict[str, Any]:
    """The JSON Schema of a section or setting; of all settings for ``""``. SettingError if there
    is none of this name."""
    if not name:
        return root.json_schema()
    by_name = sections(root)
    if name in by_name:
        return by_name[name].schema()
    parent, _, key = name.rpartition(".")
    if parent in by_name:
        properties: dict[str, dict[str, Any]] = by_name[parent].schema().get("properties", {})
        if key in properties:
            return properties[key]
    near = nearest(name, [*by_name, *(".".join(k) for k in root.descriptions())])
    hint = f"did you mean `{near}`?" if near else f"sections: {', '.join(filter(None, by_name))}"
    raise SettingError(name, f"there is no section `{name}`", help=hint)


def markdown(root: type[RunSettings], other: type[RunSettings] | None = None) -> str:
    """All settings as the tables of ``docs/configuration.md``, without those that ``other`` has
    with the same values and default."""
    other_sections = sections(other) if other else {}
    parts = []
    for name, cls in sections(root).items():
        title = f"### `[{name}]`" if name else "### At the head"
        text = " ".join((cls.__doc__ or "").split())
        table = _table_lines(cls)
        shared = _table_lines(other_sections[name]) if name in other_sections else []
        lines = [line for line in table[HEAD_LINES:] if line not in shared]
        if lines or not other:
            parts.append("\n".join([title, "", text, "", *table[:HEAD_LINES], *lines]))
    return "\n\n".join(parts) + "\n"


def _table_lines(cls: type[Section]) -> list[str]:
    return _choice_table(cls) if issubclass(cls, Choice) else _section_table(cls)


def _section_table(cls: type[Section]) -> list[str]:
    defaults = cls().to_document()
    lines = ["| Key | Value | Default | What it does |", "|---|---|---|---|"]
    for name, hint in cls.hints().items():
        if not cls.section(name):
            values, default = _cell(describe_values(hint)), value_text(defaults[name])
            lines.append(f"| `{name}` | {values} | `{default}` | {_cell(about(hint))} |")
    return lines


def _choice_table(cls: type[Choice]) -> list[str]:
    lines = [f"| `{cls.KEY}` | Its settings and their defaults |", "|---|---|"]
    for name in cls.options():
        document = cls(name).to_document()
        settings = [f"`{k} = {value_text(v)}`" for k, v in document.items() if k != cls.KEY]
        mark = " (default)" if name == cls().name else ""
        lines.append(f"| `{name}`{mark} | {', '.join(settings) or 'none'} |")
    return lines


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
