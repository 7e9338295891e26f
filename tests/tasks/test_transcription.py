"""What was said against what was heard."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.tasks import Transcription
from chainrule.tasks.transcription import edits, error_rates
from chainrule.train import Scores


@pytest.mark.parametrize(
    ("truth", "other", "count"),
    [("", "", 0), ("abc", "", 3), ("", "ab", 2), ("kitten", "sitting", 3), ("abab", "baba", 2),
     (["to", "be"], ["to", "see", "be"], 1)],
)  # fmt: skip
def test_edits(truth: list[str], other: list[str], count: int) -> None:
    assert edits(truth, other) == edits(other, truth) == count


def test_rates_are_of_all_letters_and_words_together() -> None:
    """Not means over the rows, in which a short row would count as much as a long one."""
    rates = error_rates(["a", "to be or not"], ["b", "to be or not"])
    assert rates == {"cer": 1 / 13, "wer": 1 / 5}
    assert error_rates([""], ["x"]) == {"cer": 1.0, "wer": 1.0}  # of one, if none


def scores(*paths: list[int]) -> Scores:
    return Scores(np.log(0.98 * np.eye(3)[np.array(paths)] + 0.01), "identity")


def test_letters_repeat_only_with_a_blank_between() -> None:
    task = Transcription("ab")
    heard = scores([1, 1, 0, 1, 2, 2], [0, 0, 0, 0, 0, 0])
    assert task.decode(heard).tolist() == ["aab", ""]
    target = np.array([[6, 3, 1, 1, 2, 1], [6, 1, 2, 1, 1, 1]], np.int32)
    assert task.truth(target).tolist() == ["aab", "b"]
    assert task.compute_metrics(task.truth(target), heard) == {"cer": 0.25, "wer": 0.5}
    assert task.monitored_metric(target, heard) == 0.25
    assert task.baseline(target, task.truth(target)) == {"cer": 1.0, "wer": 1.0}
    np.testing.assert_allclose(task.confidence(heard), [0.99, 0.99])
    worst, typical = task.transcripts(["a.wav", "b.wav"], "take", task.truth(target), heard)
    assert worst["heads"] == ["take", "said", "heard", "cer"]
    assert worst["rows"] == [["b.wav", "b", "", 1.0]]
    assert typical["rows"] == [["a.wav", "aab", "aab", 0.0]]


def test_typical_transcripts_are_those_in_the_middle() -> None:
    rows, letters = 101, 100
    truth = np.array(["a" * letters] * rows, object)
    right = [[1, 0] * (letters - i) + [0] * (2 * i) for i in range(rows)]
    worst, typical = Transcription("a").transcripts(
        [str(i) for i in range(rows)], "take", truth, Scores(np.eye(2)[right], "identity")
    )
    assert [row[0] for row in worst["rows"]] == [str(i) for i in range(100, 90, -1)]
    errors = [row[3] for row in typical["rows"]]
    assert len(errors) == 10
    assert min(errors) <= 0.5 <= max(errors)
