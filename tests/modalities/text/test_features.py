"""Features of texts, and the linear model over the ratios of naive Bayes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import StateError
from chainrule.frontend.apply import from_array
from chainrule.modalities.text.kind import TEXT
from chainrule.modalities.text.preprocessor import LabelPreprocessor
from chainrule.modalities.text.speaking import contributions
from chainrule.runs.fitting import settings_from_arguments

from .conftest import reviews

FAST: dict[str, Any] = {"network": "nbsvm", "epochs": 2, "verbose": False}


def prepared_of(columns: dict[str, list[Any]], target: str, *overrides: str) -> Any:
    arguments = {"target": target, "text": ("review",)}
    settings = settings_from_arguments(TEXT, "", arguments, ["data.others=false", *overrides])
    opened = TEXT.open(settings, columns, None)
    return opened.prepare(opened.settings, None)


@pytest.mark.parametrize("target", ["label", "kind"])
def test_it_begins_as_naive_bayes(target: str) -> None:
    """Of each text every feature once, and the log-ratios over the root of their number; what one
    training text alone has says nothing."""
    columns = reviews(80)
    columns["kind"] = [f"{a}{b}" for a, b in zip(columns["label"], columns["place"], strict=True)]
    prepared = prepared_of(columns, target, "model=nbsvm")
    reader, ratios = prepared.preprocessor.reader, prepared.preprocessor.ratios
    assert reader.subwords.pieces
    model = TEXT.build(prepared.preprocessor, prepared.settings)
    rows = reader.features(prepared.texts["test"])
    outputs = model(*map(from_array, prepared.inputs("test"))).numpy()
    logs = np.log((ratios.bayes.counts + 1) / (ratios.bayes.counts + 1).sum(1, keepdims=True))
    odds = logs[1:] - logs[:1] if target == "label" else logs - logs.mean(0)
    once = ratios.bayes.counts.sum(0) < 2
    assert once.any()
    odds[:, once] = 0.0
    expected = [odds[:, row].sum(1) / np.sqrt(len(row)) for row in rows]
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-4)


def test_features_are_numbered_one_after_the_other() -> None:
    """Tokens, their n-grams, runs of letters; of a bag each as often as it occurs."""
    texts = ["great great film"]
    for overrides in ([], ["tokenizer.ngrams=1"], ["model=nbsvm"]):
        reader = prepared_of(reviews(80), "label", *overrides).preprocessor.reader
        (row,) = reader.features(texts)
        assert (
            row.max() < reader.size == len({reader.meaning(i) for i in range(4, reader.size)}) + 4
        )
        runs = [reader.meaning(int(code)) for code in row if "…" in reader.meaning(int(code))]
        assert runs.count("gre…") == (1 if reader.once else 2)
        assert reader.once == ("model=nbsvm" in overrides)


def test_what_a_bag_counts_in_its_runs_of_letters() -> None:
    """Naive Bayes has not counted them, so through it they add nothing."""
    columns = reviews(80)
    for overrides in ([], ["tokenizer.ngrams=1"]):
        prepared = prepared_of(columns, "label", *overrides)
        model, pre = TEXT.build(prepared.preprocessor, prepared.settings), prepared.preprocessor
        nn.init.zeros_(model.embedding.weight)
        reader = pre.reader
        rows = reader.arrays(columns["review"][:9])
        inputs = [rows, pre.odds.of(reader.counted(columns["review"][:9]))]
        added: Any = contributions(model, pre, inputs, None)
        assert (added[rows >= reader.whole] == 0).all()
        assert (added[rows < reader.whole] != 0).any()


def test_what_features_add_is_the_output_but_for_its_bias() -> None:
    columns = reviews(80)
    model = cr.fit(columns["review"], columns["label"], runs_dir=None, **FAST)
    pre, texts = model.preprocessor, columns["review"][:7]
    assert isinstance(pre, LabelPreprocessor)
    inputs = [pre.reader.arrays(texts)]
    added: Any = contributions(model.model, pre, inputs, None)  # type: ignore[arg-type]
    outputs = model.scores(texts).outputs[:, 0]
    bias = model.model.body.bias.numpy()[0]
    np.testing.assert_allclose(added.sum(axis=1) + bias, outputs, rtol=1e-4, atol=1e-5)


def test_a_run_folder_holds_all_of_it(tmp_path: Path) -> None:
    columns = {k: v for k, v in reviews(90).items() if k != "stars"}
    model = cr.fit(columns, "label", text="review", runs_dir=tmp_path / "runs", **FAST)
    assert model.preprocessor.has_others
    new = {name: values[:9] for name, values in columns.items()}
    again = cr.load_run(model.run)
    np.testing.assert_array_equal(again.predict_proba(new), model.predict_proba(new))
    path = Path(str(model.run)) / "pipeline.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    for name in ("ratios", "subwords"):
        damaged = {**document, name: document[name][1:] if name == "subwords" else {"counts": []}}
        with pytest.raises(StateError):
            LabelPreprocessor.from_json(json.dumps(damaged), "here")
