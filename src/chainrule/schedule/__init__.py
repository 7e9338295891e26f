"""Level 6: from the graph to nests, phases and memory."""

from .build import schedule
from .units import Doors

__all__ = ["Doors", "schedule"]
