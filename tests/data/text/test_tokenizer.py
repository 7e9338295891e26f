"""Tokenizers: what they learn, that they lose nothing, and what a damaged one does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from chainrule.data.text import END, PADDING, UNKNOWN, Tokenizer, learn_tokenizer
from chainrule.data.text.learning import LEAST_BYTE_PAIRS
from chainrule.data.text.tokenizer import KINDS, SPECIALS
from chainrule.errors import ConfigError, DataError, StateError

TEXTS = [
    "It is a truth universally acknowledged, that a single man in possession",
    "of a good fortune, must be in want of a wife. It isn't, is it?",
    "However little known the feelings or views of such a man may be on his",
    "first entering a neighbourhood, this truth is so well fixed in the minds",
] * 5
#: right to left, combining, joined emoji, half a character, a null character
STRANGE = ["עברית ועוד عربى", "e\u0301 नमस्ते", "👩‍👩‍👧 🏳️‍🌈", "half \ud83d of", "nu\0ll", "", " \n "]
SIZES = {"word": 30, "character": 100, "byte-pair": 300, "unigram": 60}


def learned(kind: Any, **options: Any) -> Tokenizer:
    return learn_tokenizer(TEXTS, kind, SIZES[kind], **options)


@pytest.mark.parametrize("kind", KINDS)
def test_it_knows_what_it_learned_from(kind: Any) -> None:
    tokenizer = learned(kind)
    assert len(SPECIALS) < tokenizer.size <= SIZES[kind]
    rows = tokenizer.encode(TEXTS[:2])
    assert all(row.max() < tokenizer.size and row.min() > PADDING for row in rows)
    if kind in ("character", "byte-pair"):
        assert [tokenizer.decode(row) for row in rows] == TEXTS[:2]
    if kind == "unigram":
        assert tokenizer.decode(rows[0]) == TEXTS[0]
    if kind == "word":
        assert (rows[1] == UNKNOWN).any()
        assert tokenizer.tokens[:2] == ("a", ",")
    raw = b"".join(tokenizer.raw(int(code)) for code in rows[0])
    if kind != "word":
        assert raw.decode().removeprefix(" ") == TEXTS[0]
        assert tokenizer.characters[rows[0]].sum() - (kind == "unigram") == len(TEXTS[0])


@pytest.mark.parametrize("kind", KINDS)
def test_strange_texts_are_no_trouble(kind: Any) -> None:
    tokenizer = learned(kind, lowercase=kind == "word")
    for text, row in zip(STRANGE, tokenizer.encode(STRANGE), strict=True):
        assert row.max(initial=0) < tokenizer.size
        if kind == "byte-pair":
            whole = text.replace("\ud83d", "\ufffd" * 3).replace("\0", "\ufffd")
            assert tokenizer.decode(row) == whole
            assert tokenizer.characters[row].sum() == len(whole)
        tokenizer.decode(row)
    assert learn_tokenizer(STRANGE, kind, SIZES[kind]).size > len(SPECIALS)


def test_words_keep_their_apostrophes_and_scripts() -> None:
    tokenizer = learn_tokenizer(["Don't SHOUT: naïve café, नमस्ते!"], "word", 100, lowercase=True)
    assert set(tokenizer.tokens) == {"don't", "shout", ":", "naïve", "café", ",", "नमस्ते", "!"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_document_is_all_there_is(kind: Any) -> None:
    tokenizer = learned(kind)
    text = json.dumps(tokenizer.to_document())
    again = Tokenizer.from_document(json.loads(text), "here")
    assert again == tokenizer
    for one, other in zip(tokenizer.encode(TEXTS), again.encode(TEXTS), strict=True):
        assert one.tolist() == other.tolist()


PROGRAM = """
import json, sys
from chainrule.data.text import learn_tokenizer
texts, sizes = json.loads(sys.stdin.read())
print(json.dumps([learn_tokenizer(texts, k, n).to_document() for k, n in sizes.items()]))
"""


def test_the_same_texts_give_the_same_tokenizer_in_any_process() -> None:
    # Ties of all kinds: words and pairs that occur equally often.
    texts = [f"{a}{b} {b}{a} {a}{b}{a}" for a in "abcdef" for b in "uvwxyz"] + TEXTS
    answers = set()
    for seed in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], input=json.dumps([texts, SIZES]), text=True,
            capture_output=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed,
                 "PYTHONPATH": os.pathsep.join(map(str, sys.path))},
        )  # fmt: skip
        answers.add(done.stdout)
    assert len(answers) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_to_learn_from(kind: Any) -> None:
    for texts in ([], ["", ""]):
        with pytest.raises(DataError, match="empty"):
            learn_tokenizer(texts, kind, 300)


def test_a_vocabulary_of_one() -> None:
    for kind in ("word", "character"):
        tokenizer = learn_tokenizer(["a a a", "a"], kind, len(SPECIALS) + 1)  # type: ignore[arg-type]
        assert len(tokenizer.tokens) == 1
        assert tokenizer.encode(["a b"])[0].tolist()[-1] == UNKNOWN
    with pytest.raises(ConfigError, match="cannot hold all bytes"):
        learn_tokenizer(["a"], "byte-pair", LEAST_BYTE_PAIRS - 1)
    assert learn_tokenizer(["a"], "byte-pair", LEAST_BYTE_PAIRS).size == LEAST_BYTE_PAIRS


def test_texts_cannot_name_special_tokens() -> None:
    for kind in KINDS:
        texts = [" ".join(SPECIALS), SPECIALS[END]] * 20
        tokenizer = learn_tokenizer(texts, kind, SIZES[kind])
        rows = tokenizer.encode([*texts, *SPECIALS])
        assert all(not set(row.tolist()) & {PADDING, 2, END} for row in rows)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("damage", range(9))
def test_a_damaged_document_is_refused(kind: Any, damage: int) -> None:
    document = learned(kind).to_document()
    changes: list[dict[str, Any]] = [
        {"kind": "sentence"},
        {"tokens": []},
        {"tokens": [*document["tokens"], document["tokens"][0]]},
        {"tokens": [*document["tokens"], SPECIALS[0]]},
        {"tokens": "abc"},
        {"merges": [["q", "zz"]]},
        {"scores": [0.5]},
        {"lowercase": "yes"},
        {"scores": [float("nan")] * len(document["tokens"])},
    ]
    with pytest.raises(StateError) as error:
        Tokenizer.from_document({**document, **changes[damage]}, "pipeline.json")
    assert error.value.where == "pipeline.json"
