"""One screen of the microscope, however it is rendered."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from .page import page_of
from .shown import Part, jsonable
from .text import text_of

__all__ = ["View"]


@dataclass(frozen=True)
class View:
    """``title`` and ``parts``; ``path`` says where it is: layer, unit, weight. Printed, it is text,
    and in a notebook HTML."""

    title: str
    parts: tuple[Part, ...]
    path: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """For JSON: parts carry their ``type``; NaN and infinity are texts."""
        plain: dict[str, Any] = jsonable(asdict(self))
        return plain

    def __str__(self) -> str:
        return text_of(self.title, self.parts)

    def _repr_html_(self) -> str:
        return page_of([(self.title, self.parts)])
