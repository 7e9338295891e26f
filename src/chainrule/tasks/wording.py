"""Sentences that tasks share."""

from __future__ import annotations

__all__ = ["NOTHING_LEARNED"]

NOTHING_LEARNED = "By this measure, it learned nothing useful."
