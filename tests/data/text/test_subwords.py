"""Runs of letters in words, against runs written out."""

from __future__ import annotations

from typing import Any

import pytest

from chainrule.data.text import Subwords, learn_subwords, learn_tokenizer
from chainrule.errors import StateError


def test_runs_that_two_texts_share() -> None:
    learned = learn_subwords([["bored", "!"], ["boring", "a", "boring"], ["x"]])
    assert learned.pieces == ("<bo", "<bor", "bor")
    assert [row.tolist() for row in learned.encode([["bored"], ["x", "!"], [], ["bore", "bor"]])] \
        == [[0, 2, 1], [], [], [0, 2, 1, 0, 2, 1]]  # fmt: skip
    assert [learned.shown(i) for i in range(3)] == ["bo…", "bor…", "…bor…"]
    assert learn_subwords([["ring"], ["king"]]).pieces[0] == "ing"
    assert Subwords(("ng>",)).shown(0) == "…ng"


def test_the_most_frequent_are_kept() -> None:
    texts = [["bored"], ["bored"], ["boring"], ["cored"]]
    assert learn_subwords(texts, most=4).pieces == ("<bo", "<bor", "bor", "ed>")
    assert len(learn_subwords(texts, rare=1).pieces) > 12


def test_words_are_spelled_as_the_vocabulary_spells_them() -> None:
    tokenizer = learn_tokenizer(["A great film"], "word", 100, lowercase=True)
    assert tokenizer.words(["GREAT, isn't it?\0", ""]) == [
        ["great", ",", "isn't", "it", "?", "\ufffd"], []
    ]  # fmt: skip


@pytest.mark.parametrize("document", [["abc", "abc"], ["ab"], ["abcdef"], [3], "abc", {"a": 1}])
def test_damaged_runs_are_refused(document: Any) -> None:
    with pytest.raises(StateError):
        Subwords.from_document(document, "here")
