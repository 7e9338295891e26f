"""What every view promises: numbers that add up exactly as shown."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from chainrule.microscope import View
from chainrule.microscope.shown import Sum

__all__ = ["check_sums", "sums_of"]


def sums_of(view: View) -> list[Sum]:
    """The sums in a view."""
    return [part for part in view.parts if isinstance(part, Sum)]


def check_sums(views: Iterable[View]) -> int:
    """Adds up every sum as it is printed, and gives how many there were."""
    count = 0
    for view in views:
        for part in sums_of(view):
            terms = [Decimal(term.shown) for term in part.terms]
            rest = Decimal(part.rest) if part.rest else Decimal(0)
            assert sum(terms, rest) == Decimal(part.shown), (view.title, part)
            size = max([abs(part.total), *(abs(term.value) for term in part.terms)])
            assert abs(float(part.shown) - part.total) <= 1e-5 * size
            count += 1
    return count
