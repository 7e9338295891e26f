"""Level 6: from the graph to nests, phases and memory."""

from .build import schedule
from .units import InputLayout

__all__ = ["InputLayout", "schedule"]
