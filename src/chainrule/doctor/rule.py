"""What a rule is, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..markup import Markup, element, joined
from ..notebook import framed, words
from .evidence import Evidence

__all__ = ["FAMILIES", "Diagnosis", "Rule", "Sign"]

Severity = Literal["info", "warning", "error"]

FAMILIES: Mapping[str, str] = {
    "T1": "gradients and units",
    "T2": "steps",
    "T3": "fit",
    "T4": "data",
    "T5": "speed",
}


@dataclass(frozen=True)
class Sign:
    """What a rule saw: the ``numbers`` that speak for it, which its sentence names, and the
    ``layer`` that they are about, if it is one."""

    numbers: Mapping[str, Any] = field(default_factory=dict)
    layer: str = ""


@dataclass(frozen=True)
class Rule:
    """One illness of a training.

    ``says`` is a sentence with the names of `Sign.numbers` in braces; ``means``, ``why`` and
    ``looks`` are its page: what it means, why it happens in terms of the chain rule, and how it
    shows. ``setting`` is a change of ``run.toml``, ``python`` a line for a trainer of one's own.
    """

    code: str
    title: str
    says: str
    means: str
    why: str
    looks: str
    python: str
    look: Callable[[Evidence], Sign | None]
    setting: str = ""
    severity: Severity = "warning"

    @property
    def family(self) -> str:
        """Of `FAMILIES`."""
        return FAMILIES[self.code[:2]]


@dataclass(frozen=True)
class Diagnosis:
    """A rule that applies, with what it saw; ``of_run`` if there is a ``run.toml`` to change."""

    rule: Rule
    sign: Sign
    of_run: bool = False

    @property
    def code(self) -> str:
        """Of the rule."""
        return self.rule.code

    @property
    def severity(self) -> Severity:
        """Of the rule."""
        return self.rule.severity

    @property
    def sentence(self) -> str:
        """What anyone understands, with the numbers in it."""
        shown = {name: _shown(value) for name, value in self.sign.numbers.items()}
        return self.rule.says.format(layer=f"`{self.sign.layer}`", **shown)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "code": self.code,
            "severity": self.severity,
            "family": self.rule.family,
            "title": self.rule.title,
            "sentence": self.sentence,
            "layer": self.sign.layer,
            "numbers": dict(self.sign.numbers),
            "setting": self.rule.setting,
            "python": self.rule.python,
        }

    def html(self) -> Markup:
        """Code, title, sentence and what to try, for a notebook."""
        fix = self.rule.setting if self.of_run and self.rule.setting else self.rule.python
        parts = [element("div", f"{self.code} {self.rule.title} ({self.severity})",
                         class_="cr-part"), words(self.sentence)]  # fmt: skip
        return joined(*parts, element("p", "try: ", element("code", fix)) if fix else Markup())

    def _repr_html_(self) -> str:
        return framed(self.html())

    def __str__(self) -> str:
        fix = self.rule.setting if self.of_run and self.rule.setting else self.rule.python
        return f"{self.code} {self.sentence}" + (f"\n     try: {fix}" if fix else "")


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
