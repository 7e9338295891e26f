"""Preprocessors as JSON: what comes back is what was written, and nothing else is taken."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from chainrule.errors import StateError
from chainrule.modalities.audio.prepare import AudioPreprocessor
from chainrule.modalities.audio.transcribing import TranscriptPreprocessor
from chainrule.modalities.images.prepare import ImagePreprocessor
from chainrule.runs.preprocessor import PlainPreprocessor


@dataclass(frozen=True)
class Scaling(PlainPreprocessor):
    FORMAT: ClassVar[str] = "test.scaling"
    OF: ClassVar[str] = "numbers"
    SHAPE: ClassVar[Mapping[str, Any]] = {"means": [float], "name?": str}

    means: tuple[float, ...]
    name: str = "none"

    def holds_together(self) -> bool:
        return len(self.means) > 0


EXAMPLES: list[PlainPreprocessor] = [
    Scaling((1.5, 0.1)),
    ImagePreprocessor((8, 9), 1, "crop", ("a", "b"), (3.0,), (1.0,), True),
    AudioPreprocessor(8000, 800, ("a", "b"), (0.0, 1.0), (1.0, 2.0)),
    TranscriptPreprocessor(8000, 800, "ab", (0.0,), (1.0,)),
]
every = pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: type(e).__name__)


@every
def test_what_was_written_comes_back(example: PlainPreprocessor) -> None:
    assert type(example).from_json(example.to_json(), "here") == example


@every
def test_what_was_changed_is_refused(example: PlainPreprocessor) -> None:
    document = json.loads(example.to_json())
    changes: list[dict[str, Any]] = [{"format": "other"}, {"version": 2}]
    changes += [{name: None} for name in document]
    changes += [{name: []} for name, value in document.items() if isinstance(value, list)]
    changes += [{name: -1} for name, value in document.items() if type(value) is int]
    for change in changes:
        with pytest.raises(StateError) as caught:
            type(example).from_json(json.dumps(document | change), "here")
        assert caught.value.where == "here"
    for name in set(document) - {"name", "numbered"}:
        short = {key: value for key, value in document.items() if key != name}
        with pytest.raises(StateError, match=f"`{name}` is missing"):
            type(example).from_json(json.dumps(short), "here")
    with pytest.raises(StateError, match="does not belong to a run on"):
        type(example).from_json(json.dumps(document | {"format": "other"}), "here")


def test_what_may_be_missing_has_its_default() -> None:
    text = json.dumps({"format": "test.scaling", "version": 1, "means": [2.0]})
    assert Scaling.from_json(text, "here") == Scaling((2.0,))
