"""Preprocessors that are a few numbers and names: written to ``pipeline.json``, and read back."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, ClassVar, Self, cast

from ..errors import StateError
from ..records import check_shape, parsed

__all__ = ["PlainPreprocessor"]

VERSION = 1


class PlainPreprocessor(ABC):
    """What dataclasses of numbers, texts and tuples of them need to be a `Preprocessor`.

    Attributes:
        FORMAT: what ``pipeline.json`` says it is.
        OF: what a run with it is on, in errors.
        SHAPE: what the text must hold, as `records.check_shape` takes it; a field whose name ends
            with ``?`` may be missing, if it has a default.
    """

    FORMAT: ClassVar[str]
    OF: ClassVar[str]
    SHAPE: ClassVar[Mapping[str, Any]]

    @abstractmethod
    def holds_together(self) -> bool:
        """Whether the values, each of the right type, fit one another and their ranges."""

    def to_json(self) -> str:
        """The text of ``pipeline.json``."""
        own: Any = self
        document = {"format": self.FORMAT, "version": VERSION, **asdict(own)}
        return json.dumps(document, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str) -> Self:
        """From the text of `to_json`. StateError, naming ``where``, for anything else."""
        document = parsed(text, "pipeline.json", where)
        check_shape(document, {"format": str, "version": int, **cls.SHAPE}, where)
        own: Any = cls
        values = {f.name: document[f.name] for f in fields(own) if f.name in document}
        values = {n: tuple(v) if isinstance(v, list) else v for n, v in values.items()}
        preprocessor = cast(Self, own(**values))
        known = (document["format"], document["version"]) == (cls.FORMAT, VERSION)
        if not known or not preprocessor.holds_together():
            raise StateError(
                f"pipeline.json does not belong to a run on {cls.OF}",
                where=where,
                help="it was changed or cut off; copy it again",
            )
        return preprocessor
