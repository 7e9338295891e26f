"""Decoding of CTC scores, against all paths of small cases."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import chainrule.nn.functional as F
from chainrule import nn
from reference.images import values


def scores_of(seed: int, steps: int, rows: int, classes: int, scale: float = 1.0) -> Any:
    return F.log_softmax(scale * values(seed, (steps, rows, classes)).astype(np.float32), -1)


def said(path: Any, blank: int) -> tuple[int, ...]:
    return tuple(int(k) for k, _ in itertools.groupby(path) if k != blank)


def totals(scores: Any, blank: int) -> dict[tuple[int, ...], float]:
    """The log-probability of every sequence of labels, summed over all paths."""
    steps, classes = scores.shape
    found: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(classes), repeat=steps):
        log_prob = float(sum(scores[t, k] for t, k in enumerate(path)))
        labels = said(path, blank)
        found[labels] = np.logaddexp(found.get(labels, -math.inf), log_prob)
    return found


@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize(("steps", "classes"), [(1, 3), (4, 3), (6, 3), (5, 4)])
def test_a_wide_beam_is_exact(steps: int, classes: int, blank: int) -> None:
    scores = scores_of(steps, steps, 3, classes, 2.0)
    for row, found in enumerate(nn.ctc_beam_search(scores, blank=blank, beam=5000, best=5000)):
        wanted = totals(scores.numpy().astype(np.float64)[:, row], blank)
        assert len(found) == len(wanted)
        for transcript in found:
            assert transcript.log_prob == pytest.approx(wanted[tuple(transcript.labels)], abs=1e-6)
        probabilities = [t.log_prob for t in found]
        assert probabilities == sorted(probabilities, reverse=True)
        assert np.logaddexp.reduce(probabilities) == pytest.approx(0.0, abs=1e-5)


def test_probabilities_are_those_of_the_loss() -> None:
    scores = scores_of(7, 12, 2, 5, 3.0)
    for row, found in enumerate(nn.ctc_beam_search(scores, [12, 9], beam=5000, best=3)):
        for labels, log_prob in found:
            lengths = np.int32([12, 9])[row : row + 1], np.int32([len(labels)])
            loss = F.ctc_loss(
                scores[:, row : row + 1], np.int32([labels]), *lengths, reduction="sum"
            )
            assert -loss.item() == pytest.approx(log_prob, abs=1e-3)


@pytest.mark.parametrize("blank", [0, 2])
def test_greedy_is_the_likeliest_path(blank: int) -> None:
    scores = scores_of(3, 5, 4, 3, 2.0)
    lengths = [5, 3, 0, 1]
    for row, found in enumerate(nn.ctc_greedy_decode(scores, lengths, blank=blank)):
        own = scores.numpy()[: lengths[row], row]
        paths = itertools.product(range(3), repeat=lengths[row])
        best = max(paths, key=lambda p: sum(own[t, k] for t, k in enumerate(p)))
        assert tuple(found.labels) == said(best, blank)
        assert found.log_prob == pytest.approx(sum(own[t, k] for t, k in enumerate(best)))


def test_a_beam_of_one_goes_on_and_a_wider_one_finds_more() -> None:
    scores = scores_of(11, 40, 1, 6, 1.5)
    one, more, many = (nn.ctc_beam_search(scores, beam=b)[0][0] for b in (1, 8, 200))
    assert one.log_prob <= more.log_prob + 1e-9 <= many.log_prob + 2e-9


def test_labels_said_twice_need_a_blank_between() -> None:
    sure = np.full((5, 3), -30.0, np.float32)
    for step, label in enumerate((1, 1, 0, 1, 2)):
        sure[step, label] = 0.0
    assert nn.ctc_greedy_decode(sure)[0].labels == [1, 1, 2]
    assert nn.ctc_beam_search(sure)[0][0].labels == [1, 1, 2]
    sure[2] = sure[1]
    assert nn.ctc_beam_search(sure)[0][0].labels == nn.ctc_greedy_decode(sure)[0].labels == [1, 2]


def test_classes_that_cannot_be_and_rows_without_steps() -> None:
    never = np.full((3, 2, 3), -math.inf, np.float32)
    never[:, 0, 1] = 0.0
    first, second = nn.ctc_beam_search(never, [3, 0], best=4)
    assert first == [([1], 0.0)]
    assert second == [([], 0.0)]
    assert nn.ctc_greedy_decode(never, [3, 0]) == [([1], 0.0), ([], 0.0)]


X = np.zeros((4, 2, 3), np.float32)


@pytest.mark.parametrize("decode", [nn.ctc_greedy_decode, nn.ctc_beam_search])
@pytest.mark.parametrize(
    ("x", "options", "error", "words"),
    [
        (X[None], {}, cr.ShapeError, r"log_probs have shape \(1, 4, 2, 3\)"),
        (X, {"blank": 3}, cr.DataError, "blank is 3, but there are 3 classes"),
        (X * math.nan, {}, cr.DataError, "NaN in step 0 of row 0"),
        (X, {"input_lengths": [4]}, cr.ShapeError, "for 2 rows"),
        (X, {"input_lengths": [4.0, 2.0]}, cr.ShapeError, "pass one whole number"),
        (X, {"input_lengths": [4, 5]}, cr.DataError, r"input_lengths\[1\] is 5"),
    ],
)
def test_what_does_not_fit_is_named(
    decode: Any, x: Any, options: dict[str, Any], error: type, words: str
) -> None:
    with pytest.raises(error, match=words):
        decode(x, **options)


def test_settings_of_the_search() -> None:
    with pytest.raises(cr.ConfigError, match="beam is 0"):
        nn.ctc_beam_search(X, beam=0)
    with pytest.raises(cr.ConfigError, match="best is 9, and beam is 8"):
        nn.ctc_beam_search(X, beam=8, best=9)
