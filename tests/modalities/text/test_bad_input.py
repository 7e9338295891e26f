"""Bad texts, prompts, pairs and settings: each is refused in clear words, or works."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

import chainrule as cr
from chainrule.errors import ConfigError, DataError, StateError
from chainrule.modalities.text import TextPredictor
from chainrule.records import sha256_of
from resealing import reseal

from .conftest import LANGUAGE, SMALL, SMALL_LANGUAGE, done, pairs, reviews, story, write

Run = Callable[..., Result]
FAST: dict[str, Any] = {"runs_dir": None, "verbose": False, "epochs": 1}
#: scripts from right to left, marks that combine, emoji that are joined, halves, nothing
STRANGE = ["עברית היא שפה", "नमस्ते दुनिया", "e\u0301te\u0301", "👩‍👩‍👧 🏳️‍🌈", "\ud83d", "\0", "", " "]
REFUSED = [
    (["nothing.txt", "--task", "language"], "file not found: "),
    (["empty.txt", "--task", "language"], "is empty"),
    (["latin.txt", "--task", "language"], "latin.txt:2, byte 6"),
    (["null.txt", "--task", "language"], "holds a null byte"),
    (["short.txt", "--task", "language"], "pass a longer text"),
    (["novel.txt"], "--task language learns to continue it"),
    (["novel.txt", "--task", "language", "--text", "review"], "reads text files, not columns"),
    (["novel.txt", "--task", "language", "data.fold=[1,3]"], "tested on the end of the text"),
    (["novel.txt", "--task", "language", "--network", "bag"], "not for this task"),
    (["novel.txt", "--task", "language", "model.heads=5", "model.width=16"], "does not divide"),
    (["reviews.tsv", "--text", "review"], "no target column was given"),
    (["reviews.tsv", "--target", "label", "--text", "view"], "did you mean `review`?"),
    (["reviews.tsv", "--target", "label", "--text", "label"], "has two roles"),
    (["reviews.tsv", "--target", "lable", "--text", "review"], "did you mean `label`?"),
    (["blank.tsv", "--target", "label", "--text", "review"], "the training texts are empty"),
    (["one.tsv", "--target", "label", "--text", "review"], "has only one value"),
    (["reviews.tsv", "--target", "label", "--text", "review", "tokenizer.kind=byte-pair",
      "tokenizer.size=100"], "cannot hold all bytes"),
    (["pairs.tsv", "--task", "translation", "--source", "fr", "--target", "en"], "`fr`"),
    (["half.tsv", "--task", "translation"], "no row has both"),
    (["pairs.tsv", "--task", "translation", "--parallel", "nothing.en"], "file not found"),
    (["three.tsv", "--task", "translation"], "name both columns"),
    (["folder"], "has no folders of classes"),
]  # fmt: skip


@pytest.fixture
def data(tmp_path: Path, table: Path, novel: Path) -> Path:
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "latin.txt").write_bytes(b"one\ntw\xf6lf, and more\n")
    (tmp_path / "null.txt").write_bytes(b"some\0text\n")
    (tmp_path / "short.txt").write_text("too short")
    write({"review": [""] * 9, "label": list("abcabcabc")}, tmp_path / "blank.tsv")
    write({"review": ["a b", "c d"] * 5, "label": ["x"] * 10}, tmp_path / "one.tsv")
    made = pairs(30)
    write(made, tmp_path / "pairs.tsv")
    write({**made, "fr": made["de"]}, tmp_path / "three.tsv")
    write({"de": made["de"], "en": [""] * 30}, tmp_path / "half.tsv")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_text("text")
    return tmp_path


@pytest.mark.parametrize(("words", "message"), REFUSED, ids=lambda v: " ".join(v)[:60])
def test_what_cannot_be_learned_from_is_refused(
    words: list[str], message: str, run: Run, data: Path
) -> None:
    result = run("train", *words)
    assert result.exit_code == 2, result.output
    assert message in result.output
    assert not Path("runs").exists()


def test_strange_texts_are_learned_from() -> None:
    texts = [f"{a} {b}" for a in STRANGE for b in ("good", "bad")] * 4
    labels = ["good", "bad"] * (len(texts) // 2)
    for kind, network in (("word", "bag"), ("character", "gru"), ("byte-pair", "transformer")):
        settings = [*SMALL[network], f"tokenizer.kind={kind}", "train.lr=0.01"]
        model = cr.fit(texts, labels, network=network, settings=settings, **FAST)
        assert isinstance(model, TextPredictor)
        every = model.predict_proba([*STRANGE, "never seen words", None])
        assert np.isfinite(every).all()
        np.testing.assert_array_equal(every[-3], every[-4] if kind == "word" else every[-3])


def test_a_text_is_predicted_alike_whatever_stands_beside_it() -> None:
    columns = reviews(60)
    for network, small in SMALL.items():
        model = cr.fit(columns["review"], columns["label"], network=network, settings=[*small],
                       **FAST)  # fmt: skip
        alone = model.predict_proba(["the film is great"])
        beside = model.predict_proba(["the film is great", "great " * 60])
        np.testing.assert_allclose(alone[0], beside[0], rtol=1e-4)


def test_findings_say_what_was_wrong_with_texts(tmp_path: Path) -> None:
    columns = reviews(60)
    texts = ["", *columns["review"][1:], columns["review"][5], "long " * 400]
    labels = [*columns["label"], columns["label"][5], "pos"]
    model = cr.fit(texts, labels, settings=[*SMALL["bag"]], split=(0.98, 0.01, 0.01), **FAST)
    codes = {f.code for f in model.findings}
    assert {"D606", "D607", "D608"} <= codes
    made = pairs(40)
    made["en"][3] = ""
    path = write(made, tmp_path / "pairs.tsv")
    small = ["model.width=8", "model.heads=2", "model.layers=1", "tokenizer.size=270"]
    pair = cr.fit(path, task="translation", settings=small, **FAST)
    [finding] = [f for f in pair.findings if f.code == "D610"]
    assert "1 of 40, such as row 4" in finding.evidence
    assert sum(1 for f in pair.findings if f.code == "D605") == 1


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> TextPredictor:
    runs = tmp_path_factory.mktemp("runs")
    settings = [*SMALL_LANGUAGE, *LANGUAGE["gpt"]]
    model = cr.fit([story()], task="language", network="gpt", settings=settings,
                   **{**FAST, "runs_dir": runs})  # fmt: skip
    assert isinstance(model, TextPredictor)
    return model


@pytest.mark.parametrize("prompt", ["", "the cat " * 20, "ωψ 👍", "\0", "the"])
def test_prompts_of_every_kind(writer: TextPredictor, prompt: str) -> None:
    made = writer.generate(prompt, tokens=30, seed=1)
    assert len(made) == 30
    assert set(made) <= set(story())
    assert made == writer.generate(prompt, tokens=30, seed=1)


def test_what_is_kept_makes_no_difference(writer: TextPredictor) -> None:
    """The likeliest next letter is that of the whole text, read at once."""
    prompt = "the cat sa"
    codes = writer.preprocessor.tokenizer.encode([prompt])[0]
    logits = writer.model.logits(codes[None])  # type: ignore[operator]
    scores = np.array(logits.numpy()[0, -1])
    scores[:3] = -np.inf
    likeliest = writer.preprocessor.tokenizer.decode([int(scores.argmax())])
    assert writer.generate(prompt, tokens=1, temperature=0.0) == likeliest


@pytest.mark.parametrize(
    "options", [{"temperature": -1.0}, {"top_k": 0}, {"top_p": 0.0}, {"tokens": -1}]
)
def test_settings_that_make_no_sense(writer: TextPredictor, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options)).replace("tokens", "length")):
        writer.generate("the", **options)


def test_a_text_that_is_too_short_to_be_judged(writer: TextPredictor, tmp_path: Path) -> None:
    path = tmp_path / "short.txt"
    path.write_text("short\n")
    with pytest.raises(DataError, match="pass a longer text") as error:
        writer.evaluate(path)
    assert "a stretch 17" in str(error.value) or "a longer" in error.value.help


@pytest.mark.parametrize("damage", range(7))
def test_a_damaged_tokenizer_is_refused(writer: TextPredictor, damage: int, tmp_path: Path) -> None:
    """Also where somebody has sealed the folder again."""
    assert writer.run is not None
    folder = tmp_path / "run"
    shutil.copytree(writer.run, folder)
    file = folder / "pipeline.json"
    document = json.loads(file.read_text())
    tokenizer = document["tokenizer"]
    changed: list[dict[str, Any]] = [
        {"tokenizer": {**tokenizer, "kind": "sentence"}},
        {"tokenizer": {**tokenizer, "tokens": tokenizer["tokens"][:-1]}},
        {"tokenizer": {**tokenizer, "tokens": tokenizer["tokens"][::-1]}},
        {"length": -1},
        {"family": "classes"},
        {"format": "chainrule.pipeline"},
        {"tokenizer": {**tokenizer, "model": "__import__('os')"}},
    ]
    file.write_text(json.dumps(document | changed[damage]))
    with pytest.raises(StateError):
        cr.load_run(folder)
    known = json.loads((folder / "run.json").read_text())["files"]
    reseal(folder / "run.json", files=known | {"pipeline.json": sha256_of(file)})
    if damage == 6:  # more than is asked for is passed over, and never run
        cr.load_run(folder)
        return
    with pytest.raises(StateError):
        cr.load_run(folder)


def test_without_the_package_it_says_what_to_install(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tokenizers", None)
    with pytest.raises(ConfigError, match="need the tokenizers package") as error:
        cr.fit(table, "label", text="review", **FAST)
    assert "chainrule[text]" in error.value.help
    letters = ["tokenizer.kind=character", *SMALL["gru"]]
    cr.fit(table, "label", text="review", network="gru", settings=letters, **FAST)


def test_an_eval_of_a_folder_with_unknown_classes(run: Run, table: Path, tmp_path: Path) -> None:
    done(run("train", table, "--target", "label", "--text", "review", "--quiet", "--epochs", 1,
             *SMALL["bag"]))  # fmt: skip
    for name in ("other", "pos"):
        (tmp_path / "mails" / name).mkdir(parents=True)
        (tmp_path / "mails" / name / "1.txt").write_text("great")
    refused = run("eval", "last", "mails")
    assert refused.exit_code == 2
    assert "`other` is not a class of the target `label`" in refused.output
