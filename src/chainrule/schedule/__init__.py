"""Level 6: from the graph to nests, phases and memory."""

from .build import schedule
from .places import InputLayout

__all__ = ["InputLayout", "schedule"]
