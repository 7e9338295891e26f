"""The most similar text that is known, against similarities by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.data.text import TranslationMemory


def rows_of(*rows: list[int]) -> list[Any]:
    return [np.array(row, np.int32) for row in rows]


def similarity(a: Any, b: Any, known: list[Any], size: int) -> float:
    """The cosine of two rows, written out."""
    documents = np.array([sum(f in row for row in known) for f in range(size)])
    weights = np.log1p(len(known) / np.maximum(documents, 1)) * (documents > 0)
    left, right = (np.bincount(row, minlength=size) * weights for row in (a, b))
    return float(left @ right / max(np.linalg.norm(left) * np.linalg.norm(right), 1e-9))


def test_the_nearest_is_the_one_of_the_largest_cosine() -> None:
    rng = np.random.default_rng(0)
    known = [rng.integers(0, 12, rng.integers(1, 9)).astype(np.int32) for _ in range(40)]
    asked = [rng.integers(0, 14, rng.integers(1, 9)).astype(np.int32) for _ in range(25)]
    nearest = TranslationMemory(known, 14).nearest(asked)
    for row, own in zip(asked, nearest.tolist(), strict=True):
        each = [similarity(row, other, known, 14) for other in known]
        assert each[own] == max(each) or np.isclose(each[own], max(each), rtol=1e-12)


def test_what_was_seen_before_is_found_again() -> None:
    known = rows_of([4, 5, 6], [5, 6, 6], [4, 7], [6])
    assert TranslationMemory(known, 10).nearest(known).tolist() == [0, 1, 2, 3]


def test_a_rare_token_counts_more_than_a_frequent_one() -> None:
    known = rows_of([4, 5], [4, 6], [4, 7], [4, 8])
    assert TranslationMemory(known, 10).nearest(rows_of([4, 7])).tolist() == [2]
    assert TranslationMemory(known, 10).nearest(rows_of([9], [4])).tolist() == [0, 0]
