"""Examples with classes: labels in memory, other names for classes, copies and rare ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from chainrule.data import Finding
from chainrule.data.labelled import Labelled, Labels, codes_of
from chainrule.errors import DataError


@dataclass(frozen=True)
class Notes(Labelled):
    UNIT: ClassVar[str] = "note"
    UNITS: ClassVar[str] = "notes"
    COPIES: ClassVar[str] = "D9"

    name: str
    labels: Labels
    classes: tuple[str, ...]
    paths: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    share: None = None
    form = ()
    nbytes = 3

    def own_digests(self) -> Iterator[bytes]:
        return (path[:1].encode() for path in self.paths)

    def own_fingerprint(self) -> str:
        return "sha256:0"


def notes(*classes: str) -> Notes:
    labels = np.array([0, 1, 1], np.int32)
    return Notes("mine", labels, classes, ("a", "b", "a again"))


def test_labels_index_other_classes() -> None:
    other = notes("up", "down").labelled_as(["down", "flat", "up"])
    assert isinstance(other, Notes)
    assert other.labels.tolist() == [2, 0, 0]
    assert other.classes == ("down", "flat", "up")
    with pytest.raises(DataError, match="unknown classes in mine: up"):
        notes("up", "down").labelled_as(["down", "left"])
    with pytest.raises(DataError, match="the notes of mine have no classes"):
        notes().labelled_as(["down"])


def test_copies_and_rare_classes_are_findings() -> None:
    copies, rare = notes("up", "down").class_findings()
    assert (copies.code, copies.severity) == ("D9", "warning")
    assert copies.message == "1 of 3 notes are exact copies of earlier ones"
    assert rare.evidence == "up (1), down (2)"


@pytest.mark.parametrize(
    ("labels", "classes", "codes", "names"),
    [
        (["b", "a", "b"], None, [1, 0, 1], ("a", "b")),
        (np.array(["b", "a", "b"], object), None, [1, 0, 1], ("a", "b")),
        ([7, 3, 7], None, [1, 0, 1], ("3", "7")),
        ([2, 0, 2], ["x", "y", "z"], [2, 0, 2], ("x", "y", "z")),
        (["y", "x", "y"], ["x", "y"], [1, 0, 1], ("x", "y")),
        ([True, False, True], None, [1, 0, 1], ("False", "True")),
    ],
)
def test_labels_in_memory(labels: Any, classes: Any, codes: list[int], names: Any) -> None:
    assert (found := codes_of(labels, 3, ("note", "notes"), classes=classes))[1] == names
    assert found[0].tolist() == codes


@pytest.mark.parametrize(
    ("labels", "classes", "words"),
    [
        (["a"], None, "got 3 notes, but labels of shape"),
        ([0.5, 1.0, 2.0], None, "the labels are float64"),
        (["a", "b", "c"], ["a", "b"], "unknown labels: c"),
        ([0, 1, 2], ["a", "b"], "the labels do not index the 2 classes"),
    ],
)
def test_labels_that_are_none(labels: Any, classes: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        codes_of(labels, 3, ("note", "notes"), classes=classes)
