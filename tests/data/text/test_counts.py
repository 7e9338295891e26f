"""n-grams as features, naive Bayes and successors, against counts by hand."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from chainrule.data.text import NaiveBayes, NGrams, Successors, learn_ngrams, padded
from chainrule.errors import ConfigError, StateError


def rows_of(*rows: list[int]) -> list[Any]:
    return [np.array(row, np.int32) for row in rows]


def test_ngrams_are_those_that_occur_twice_within_rows() -> None:
    rows = rows_of([4, 5, 6], [4, 5, 6, 4], [6, 4, 1, 5], [], [5])
    grams = learn_ngrams(rows, 10, 3)
    assert [grams.tokens_of(10 + i) for i in range(grams.features - 10)] == [
        (4, 5), (5, 6), (6, 4), (4, 5, 6)
    ]  # fmt: skip
    encoded = [row.tolist() for row in grams.encode(rows)]
    assert encoded == [
        [4, 5, 6, 10, 11, 13], [4, 5, 6, 4, 10, 11, 12, 13], [6, 4, 1, 5, 12], [], [5]
    ]  # fmt: skip
    again = NGrams.from_document(grams.to_document(), 10, "here")
    assert [row.tolist() for row in again.encode(rows)] == encoded
    with pytest.raises(ConfigError, match="no feature"):
        grams.tokens_of(14)


@pytest.mark.parametrize("document", [[[5, 5]], [[100]], [[-1]], ["a"], [[0.5]]])
def test_damaged_ngrams_are_refused(document: Any) -> None:
    with pytest.raises(StateError):
        NGrams.from_document(document, 10, "here")


def test_too_long_ngrams_are_refused() -> None:
    with pytest.raises(ConfigError, match="cannot be numbered"):
        learn_ngrams(rows_of([4, 5]), 1_000_000, 4)


def test_padding() -> None:
    assert padded(rows_of([4, 5, 6], [7]), 2).tolist() == [[4, 5], [7, 0]]


def test_naive_bayes_by_hand() -> None:
    rows = rows_of([4, 4, 5], [5, 6], [6])
    bayes = NaiveBayes.fit(rows, np.array([0, 0, 1]), 2, 8)
    log = bayes.log_probabilities(rows_of([4, 6]))
    first = 3 / 5 * (3 / 13) * (2 / 13)
    second = 2 / 5 * (1 / 9) * (2 / 9)
    np.testing.assert_allclose(
        np.exp(log[0]), [first / (first + second), second / (first + second)]
    )


def test_of_its_own_rows_it_says_what_it_would_without_them() -> None:
    rng = np.random.default_rng(0)
    rows = rows_of(*(rng.integers(4, 12, 6).tolist() for _ in range(12)))
    classes = rng.integers(0, 3, 12)
    said = NaiveBayes.fit(rows, classes, 3, 12).joint(rows, classes)
    for i in range(12):
        rest = [j for j in range(12) if j != i]
        without = NaiveBayes.fit([rows[j] for j in rest], classes[rest], 3, 12)
        difference = said[i] - without.joint([rows[i]])[0]
        np.testing.assert_allclose(difference, difference[0])  # a constant of the row


def test_successors_are_probabilities_and_those_by_hand() -> None:
    tokens = np.random.default_rng(0).integers(4, 9, 300).astype(np.int32)
    size, order = 10, 4
    counted = Successors(tokens, size, order)

    def by_hand(history: tuple[int, ...], token: int) -> float:
        if not history:
            return (Counter(tokens.tolist())[token] + 1) / (len(tokens) + size)
        shorter = by_hand(history[1:], token)
        n = len(history)
        after = Counter(
            int(tokens[i + n])
            for i in range(len(tokens) - n)
            if tuple(tokens[i : i + n]) == history
        )
        if not after:
            return shorter
        return (after[token] + len(after) * shorter) / (sum(after.values()) + len(after))

    row = np.array([[4, 5, 6, 7, 3, 4, 5], [8, 8, 8, 8, 8, 8, 9]])
    got = counted.probabilities(row)
    for i in range(len(row)):
        for j in range(1, row.shape[1]):
            history = tuple(row[i, max(0, j - order + 1) : j].tolist())
            assert got[i, j - 1] == pytest.approx(by_hand(history, int(row[i, j])))
    every = np.array([[4, 5, 6, t] for t in range(size)])
    assert counted.probabilities(every)[:, -1].sum() == pytest.approx(1.0)


def test_successors_of_almost_nothing() -> None:
    counted = Successors(np.array([4], np.int32), 6, 3)
    assert counted.probabilities(np.array([[4, 4]])).tolist() == [[2 / 7]]
