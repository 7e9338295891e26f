"""Columns of texts of a few words: which they are, and what becomes of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import Preprocessor, infer_schema, read_table
from chainrule.data.tables.encode import TextEncoder
from chainrule.data.tables.texts import words_of
from chainrule.errors import StateError

N = 60
SIZES, COLOURS, THINGS = ("small", "large"), ("red", "blue", "green"), ("Dress", "Shirt", "Coat")
TITLES = [
    f"{SIZES[i % 2]} {COLOURS[i % 3]} {THINGS[i // 6 % 3]}, No. {i}" for i in range(N)
]  # fmt: skip
TARGET = [float(30 * (i // 6 % 3) + 5 * (i % 2)) for i in range(N)]


def kind_of(texts: list[Any]) -> str:
    table = read_table({"text": texts, "x": list(range(len(texts))), "y": TARGET})
    schema, _ = infer_schema(table, "y")
    return schema.columns[0].kind


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (TITLES, "text"),
        ([None if i % 7 == 0 else t for i, t in enumerate(TITLES)], "text"),
        ([f"{i:04}-{i * 7919 % 9973:04}-{i * 104_729 % 9973:04}" for i in range(N)], "ignored"),
        ([f"name {i}" for i in range(N)], "ignored"),
        ([f"patient number {i} had nothing to tell us at all, again" for i in range(N)], "ignored"),
        ([f"{chr(97 + i % 26)}{chr(97 + i // 26)}x Smith{i}" for i in range(N)], "ignored"),
        ([f"{COLOURS[i % 3]} {THINGS[i % 2]}" for i in range(N)], "category"),
        ([f"{COLOURS[i % 3]}{i}" for i in range(N)], "ignored"),
    ],
)
def test_texts_are_told_from_names_and_categories(texts: list[Any], kind: str) -> None:
    assert kind_of(texts) == kind


def test_a_text_is_the_rarity_of_its_words() -> None:
    texts = [None if i == 5 else t for i, t in enumerate(TITLES)]
    table = read_table({"title": texts, "y": TARGET})
    schema, findings = infer_schema(table, "y")
    assert [f.code for f in findings] == ["D110", "D127"]
    fitted = Preprocessor.fit(table, schema)
    (encoder,) = fitted.encoders
    assert isinstance(encoder, TextEncoder)
    # Numbers occur once, and "no" is in every text.
    assert set(encoder.words) == {*SIZES, *COLOURS, "dress", "shirt", "coat"}
    features = fitted.transform(table)
    assert features.names[-1] == "title?"
    np.testing.assert_array_equal(features.numeric[:, -1], [i == 5 for i in range(N)])
    present = [text for text in texts if text is not None]
    counts = {w: sum(w in words_of(text) for text in present) for w in encoder.words}
    for row, text in zip(features.numeric, texts, strict=True):
        weights = [
            math.log(len(present) / counts[w]) if text and w in words_of(text) else 0.0
            for w in encoder.words
        ]
        expected = np.array(weights) / (math.hypot(*weights) or 1.0)
        np.testing.assert_allclose(row[:-1], expected, rtol=1e-6)


def test_words_are_those_of_training_rows() -> None:
    table = read_table({"title": [*TITLES[:40], *["velvet hat"] * 20], "y": TARGET})
    schema, _ = infer_schema(table, "y", kinds={"title": "text"})
    fitted = Preprocessor.fit(table, schema, np.arange(40))
    (encoder,) = fitted.encoders
    assert isinstance(encoder, TextEncoder)
    assert "velvet" not in encoder.words
    assert not fitted.transform(table).numeric[40:].any()


def test_texts_survive_being_written() -> None:
    table = read_table({"title": TITLES, "y": TARGET})
    fitted = Preprocessor.fit(table, infer_schema(table, "y")[0])
    again = Preprocessor.from_json(fitted.to_json())
    assert again.encoders == fitted.encoders
    wrong = fitted.to_json().replace('"words": [', '"words": [\n    "blue",', 1)
    with pytest.raises(StateError, match=r"a number for each word"):
        Preprocessor.from_json(wrong)


def test_a_network_learns_from_texts() -> None:
    table = {"title": TITLES, "x": list(range(N)), "y": TARGET}
    predictor = cr.fit(
        table, "y", task="regression", preset="fast", epochs=30, runs_dir=None, verbose=False,
        settings=["model.dropout=0", "train.lr=0.02"],
    )  # fmt: skip
    assert predictor.metrics["r2"] > 0.5
    dear, cheap = predictor.predict({"title": ["a large green coat", "a dress"], "x": [30, 30]})
    assert dear > cheap
