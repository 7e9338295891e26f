"""All rules, by code. A rule is one declaration in the file of its family."""

from __future__ import annotations

from collections.abc import Iterable

from ...errors import ConfigError, nearest
from ..rule import Rule
from . import data, fit, gradients, speed, steps

__all__ = ["RULES", "check_codes"]

RULES: dict[str, Rule] = {
    rule.code: rule for module in (gradients, steps, fit, data, speed) for rule in module.RULES
}


def check_codes(codes: Iterable[str]) -> None:
    """Raises ConfigError for the first of ``codes`` that no rule has."""
    for code in codes:
        if code not in RULES:
            near = nearest(code, RULES)
            raise ConfigError(
                f"there is no rule {code}",
                help=f"did you mean {near}?" if near else "chainrule explain lists them",
            )
