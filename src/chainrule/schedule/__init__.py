"""Level 6: from the graph to nests, phases and memory."""

from typing import TYPE_CHECKING, Any

from ..lazily import loaded
from .layout import InputLayout

if TYPE_CHECKING:
    from .build import schedule

__all__ = ["InputLayout", "schedule"]


def __getattr__(name: str) -> Any:
    return loaded(name, {"schedule": "build"}, __name__)
