"""What settings there are: parts of the JSON Schema, and the tables of the documentation."""

from __future__ import annotations

from typing import Any

from ..toml import value_text
from .fields import SettingError, about, nearest, words_for
from .section import Choice, Section
from .whole import Settings

__all__ = ["markdown", "section_schema"]


def sections() -> dict[str, type[Section]]:
    """Every section by its dotted name, in order; the head of the file is ``""``."""
    return _below(Settings)


def _below(cls: type[Section]) -> dict[str, type[Section]]:
    found: dict[str, type[Section]] = {cls.PLACE: cls}
    if not issubclass(cls, Choice):
        for name in cls.hints():
            inner = cls.section(name)
            found |= _below(inner) if inner else {}
    return found


def section_schema(name: str) -> dict[str, Any]:
    """The JSON Schema of a section, or of all for ``""``. SettingError if there is none."""
    if not name:
        return Settings.json_schema()
    known = sections()
    if name in known:
        return known[name].schema()
    parent, _, key = name.rpartition(".")
    if parent in known and key in (properties := known[parent].schema().get("properties", {})):
        found: dict[str, Any] = properties[key]
        return found
    near = nearest(name, [*known, *(".".join(k) for k in Settings.abouts())])
    hint = f"did you mean `{near}`?" if near else f"sections: {', '.join(filter(None, known))}"
    raise SettingError(name, f"there is no section `{name}`", help=hint)


def markdown() -> str:
    """All settings as the tables of ``docs/configuration.md``."""
    parts = []
    for name, cls in sections().items():
        title = f"### `[{name}]`" if name else "### At the head"
        text = " ".join((cls.__doc__ or "").split())
        table = _choice_table(cls) if issubclass(cls, Choice) else _table(cls)
        parts.append("\n".join([title, "", text, "", *table]))
    return "\n\n".join(parts) + "\n"


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


if __name__ == "__main__":
    print(markdown(), end="")
