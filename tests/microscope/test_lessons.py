"""Lessons: they open, they are short, and the engine knows the answers."""

from __future__ import annotations

import pytest

from adding import check_sums
from chainrule.errors import ConfigError
from chainrule.microscope.lessons import lesson_names, open_lesson

#: what a person finds by reading: the engine must come to the same
ANSWERS = {
    "one-neuron": "200",
    "xor": "-0.139",
    "vanishing": "1645",
    "dead-relu": "2",
    "exploding": "86.5",
    "ravine": "5.3",
}
#: words that are read in a minute, slowly
A_MINUTE = 130


def test_six_are_shipped_in_their_order() -> None:
    assert lesson_names() == list(ANSWERS)


@pytest.mark.parametrize("name", ANSWERS)
def test_a_lesson_and_its_question(name: str) -> None:
    lesson = open_lesson(name)
    pages = lesson.pages()
    assert check_sums([view for _, views in pages for view in views])
    read = sum(len(text.split()) for text, _ in pages)
    assert read / A_MINUTE < lesson.source["minutes"] <= 5
    assert lesson.judge(ANSWERS[name]).right
    wrong = lesson.judge("12345.6")
    assert not wrong.right
    assert lesson.source["question"]["hint"].strip() in wrong.words
    # The answer is nowhere in what is shown of the question.
    assert str(lesson.answer) not in str(lesson.to_dict()["question"])


def test_what_is_no_lesson_and_no_answer() -> None:
    with pytest.raises(ConfigError, match="did you mean 'dead-relu'"):
        open_lesson("dead-rely")
    with pytest.raises(ConfigError, match="is not a number"):
        open_lesson("dead-relu").judge("two")
