"""What settings there are: parts of the JSON Schema, and the tables of the documentation."""

from __future__ import annotations

from typing import Any

from ...errors import nearest
from .document import RunSettings
from .fields import SettingError, about, words_for
from .section import Choice, Section
from .toml import value_text

__all__ = ["markdown", "section_schema", "sections"]

#: lines above the first setting of a table
HEAD = 2


def sections(whole: type[RunSettings]) -> dict[str, type[Section]]:
    """Every section by its dotted name, in order; the head of the file is ``""``."""
    return _below(whole)


def _below(cls: type[Section]) -> dict[str, type[Section]]:
    found: dict[str, type[Section]] = {cls.PLACE: cls}
    if not issubclass(cls, Choice):
        for name in cls.hints():
            inner = cls.section(name)
            found |= _below(inner) if inner else {}
    return found


def section_schema(name: str, whole: type[RunSettings]) -> dict[str, Any]:
    """The JSON Schema of a section, or of all for ``""``. SettingError if there is none."""
    if not name:
        return whole.json_schema()
    known = sections(whole)
    if name in known:
        return known[name].schema()
    parent, _, key = name.rpartition(".")
    if parent in known and key in (properties := known[parent].schema().get("properties", {})):
        found: dict[str, Any] = properties[key]
        return found
    near = nearest(name, [*known, *(".".join(k) for k in whole.abouts())])
    hint = f"did you mean `{near}`?" if near else f"sections: {', '.join(filter(None, known))}"
    raise SettingError(name, f"there is no section `{name}`", help=hint)


def markdown(whole: type[RunSettings], beside: type[RunSettings] | None = None) -> str:
    """All settings as the tables of ``docs/configuration.md``; those that ``beside`` has with the
    same values and default are left out."""
    others = sections(beside) if beside else {}
    parts = []
    for name, cls in sections(whole).items():
        title = f"### `[{name}]`" if name else "### At the head"
        text = " ".join((cls.__doc__ or "").split())
        table, known = _lines(cls), _lines(others[name]) if name in others else []
        lines = [line for line in table[HEAD:] if line not in known]
        if lines or not beside:
            parts.append("\n".join([title, "", text, "", *table[:HEAD], *lines]))
    return "\n\n".join(parts) + "\n"


def _lines(cls: type[Section]) -> list[str]:
    return _choice_table(cls) if issubclass(cls, Choice) else _table(cls)


def _table(cls: type[Section]) -> list[str]:
    defaults = cls().to_document()
    lines = ["| Key | Value | Default | What it does |", "|---|---|---|---|"]
    for name, hint in cls.hints().items():
        if not cls.section(name):
            shown = _cell(words_for(hint))
            lines.append(
                f"| `{name}` | {shown} | `{_shown(defaults[name])}` | {_cell(about(hint))} |"
            )
    return lines


def _choice_table(cls: type[Choice]) -> list[str]:
    lines = [f"| `{cls.KEY}` | Its settings and their defaults |", "|---|---|"]
    for name in cls.options():
        document = cls(name).to_document()
        settings = [f"`{k} = {_shown(v)}`" for k, v in document.items() if k != cls.KEY]
        mark = " (default)" if name == cls().name else ""
        lines.append(f"| `{name}`{mark} | {', '.join(settings) or 'none'} |")
    return lines


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _shown(value: Any) -> str:
    return value_text(value)
