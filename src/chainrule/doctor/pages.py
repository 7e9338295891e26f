"""The pages of codes: those of rules in full, those of findings in data in a line."""

from __future__ import annotations

import textwrap

from ..data.findings import CODES
from ..errors import ConfigError, nearest
from .rule import FAMILIES, Rule
from .rules import RULES

__all__ = ["page", "titles"]

WIDTH = 88


def page(code: str) -> str:
    """What a code means. ConfigError for one that does not exist."""
    code = code.strip().upper()
    if code in CODES:
        text = CODES[code][0].upper() + CODES[code][1:]
        return f"{code}  finding in the data\n\n{_wrapped(text)}."
    if code not in RULES:
        near = nearest(code, [*RULES, *CODES])
        raise ConfigError(
            f"there is no code {code}",
            help=f"did you mean {near}?" if near else "`chainrule explain` lists all of them",
        )
    return _page_of(RULES[code])


def _page_of(rule: Rule) -> str:
    parts = [
        f"{rule.code}  {rule.title}  ({rule.family}, {rule.severity})",
        _wrapped(rule.means),
        f"Why\n{_indented(rule.why)}",
        f"How it looks\n{_indented(rule.looks)}",
    ]
    remedies = [f"  run.toml: {rule.setting}"] if rule.setting else []
    remedies += [_indented(f"try: {rule.python}")]
    return "\n\n".join([*parts, "\n".join(["What to change", *remedies])])


def titles() -> str:
    """All rules by family, then all findings."""
    lines = []
    for family, name in FAMILIES.items():
        lines += [f"{family}xx  {name}"]
        lines += [f"  {code}  {rule.title}" for code, rule in RULES.items() if code[:2] == family]
        lines += [""]
    lines += ["Dxxx  findings in the data", *(f"  {code}  {text}" for code, text in CODES.items())]
    return "\n".join(lines)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH)


def _indented(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent="  ", subsequent_indent="  ")
