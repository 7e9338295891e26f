"""All rules, by code. A rule is one declaration in the file of its family."""

from ..rule import Rule
from . import data, fit, gradients, speed, steps

__all__ = ["RULES"]

RULES: dict[str, Rule] = {
    rule.code: rule for module in (gradients, steps, fit, data, speed) for rule in module.RULES
}
