"""Texts in pieces: those of each process, which give the tokens of the whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data.gathering import Gathering
from chainrule.data.text import learn_tokenizer, pieces
from chainrule.data.text.pieces import own_pieces
from chainrule.data.text.tokenizer import KINDS, clean
from chainrule.errors import DataError
from chainrule.modalities.text.language import LanguagePreprocessor
from meeting import errors_of, meet

SIZES = {"word": 40, "character": 60, "byte-pair": 300, "unigram": 60}
#: what tokenizers treat in ways of their own beside words
FRAGMENTS = (
    "It", "isn't", "a", "truth", " ", "  ", "\n", " \n ", "\t", ".", "'s", "”", "Σ", "ΟΔΟΣ", "é",
    "e\u0301", "\u0301", "ﬁ", "नमस्ते", "👩‍👩‍👧", "\0", "\ud83d", "12", "B2", "İ", "\u00a0", "▁",
)  # fmt: skip
TEXTS = st.lists(
    st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join), min_size=1, max_size=5
)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE", 3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lowercase", [False, True])
@given(texts=TEXTS)
def test_pieces_give_the_tokens_of_the_whole(kind: Any, lowercase: bool, texts: list[str]) -> None:
    known = [*texts, "It isn't a truth"]
    tokenizer = learn_tokenizer(known, kind, SIZES[kind], lowercase=lowercase)
    for text, row in zip(texts, tokenizer.encode(texts), strict=True):
        parts = [piece for piece, _ in own_pieces([text])]
        assert "".join(parts) == text
        found = np.concatenate(tokenizer.encode(parts))
        assert found.tolist() == row.tolist()


def test_long_texts_are_cut() -> None:
    found = list(own_pieces(["It is a truth universally acknowledged", "", "that"]))
    assert [piece for piece, _ in found] == [
        "It is", " a truth", " universally", " acknowledged", "", "that",
    ]  # fmt: skip
    assert [last for _, last in found] == [False, False, False, True, True, True]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [2, 3, 7])
@given(texts=TEXTS)
def test_processes_learn_and_encode_what_one_does(kind: Any, size: int, texts: list[str]) -> None:
    """Also where some have nothing to do."""
    texts = [*texts, "It isn't a truth"]

    def learn_and_encode(gathering: Gathering) -> tuple[Any, list[int]]:
        tokenizer = learn_tokenizer(texts, kind, SIZES[kind], gathering=gathering)
        codes = LanguagePreprocessor(tokenizer, 4).encode(texts, gathering)
        return tokenizer, codes.tolist()

    expected = learn_and_encode(Gathering())
    assert meet(size, lambda peer: learn_and_encode(Gathering(peer))) == [expected] * size


def test_each_process_has_about_as_much() -> None:
    text = "It is a truth universally acknowledged that a single man " * 20
    shares = meet(4, lambda peer: [p for p, _ in own_pieces([text, text], Gathering(peer))])
    lengths = [sum(map(len, share)) for share in shares]
    assert "".join("".join(share) for share in shares) == 2 * text
    assert max(lengths) - min(lengths) < len(text) // 20


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_to_learn_from_is_told_by_all(kind: Any) -> None:
    def learn(peer: Any) -> object:
        return learn_tokenizer(["", ""], kind, SIZES[kind], gathering=Gathering(peer))

    told = errors_of(3, learn)
    assert len(set(told)) == 1
    assert told[0].startswith(DataError.__name__)


def test_what_was_cut_is_cleaned_as_a_whole() -> None:
    text = "half \ud83d of a nu\0ll letter"
    assert "".join(clean(piece) for piece, _ in own_pieces([text])) == clean(text)
