"""Texts go through every command: with labels, to be continued, and to be translated."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

import chainrule as cr
from chainrule.modalities.tables import TablePredictor
from chainrule.modalities.text import TextPredictor

from .conftest import (
    LANGUAGE,
    SMALL,
    SMALL_LANGUAGE,
    columns_of,
    done,
    pairs,
    reviews,
    story,
    write,
)

Run = Callable[..., Result]


def test_labels_from_train_to_report(run: Run, table: Path, tmp_path: Path) -> None:
    trained = done(run("train", table, "--target", "label", "--text", "review", *SMALL["bag"]))
    assert "reviews: 120 texts" in trained.stderr
    assert "naive Bayes" in trained.stderr
    place = Path(trained.stdout.strip())
    facts = json.loads((place / "run.json").read_text())
    assert facts["data"]["kind"] == "text"
    assert facts["task"] == "binary"
    assert facts["metrics"]["accuracy"] > 0.7
    assert facts["baselines"]["naive Bayes"]["accuracy"] > 0.5
    new = write({"review": ["the film is superb", "a scene is awful", ""]}, tmp_path / "n.tsv")
    done(run("predict", "last", new, "-o", "out.csv", "--proba"))
    rows = columns_of(Path("out.csv"))
    assert [r["prediction"] for r in rows[:2]] == ["pos", "neg"]
    assert rows[0]["text"] == "the film is superb"
    assert float(rows[0]["probability_pos"]) > 0.5
    evaluated = json.loads(done(run("eval", "last", table, "--json")).stdout)
    assert evaluated["metrics"]["accuracy"] > 0.9
    told = json.loads(done(run("report", "last", "--json")).stdout)
    words = dict(told["test"]["tables"][0]["rows"])
    assert "great" in words["pos"] or "superb" in words["pos"] or "lovely" in words["pos"]
    assert "Words that speak for a class" in (place / "report.html").read_text()
    assert "failed" not in done(run(
        "check", table, "--target", "label", "--text", "review", *SMALL["bag"]
    )).output  # fmt: skip
    done(run("find-lr", table, "--target", "label", "--text", "review", *SMALL["bag"]))


@pytest.mark.parametrize("network", [*SMALL])
def test_every_network_learns_what_words_say(network: str) -> None:
    columns = {k: v for k, v in reviews(160).items() if k in ("review", "label")}
    kept = [] if network == "nbsvm" else ["model.dropout=0"]
    model = cr.fit(
        columns, "label", text="review", network=network, epochs=15, lr=0.02, patience=15,
        settings=[*SMALL[network], *kept], runs_dir=None, verbose=False,
    )  # fmt: skip
    assert isinstance(model, TextPredictor)
    assert model.metrics["accuracy"] > 0.75


def test_a_training_goes_on_with_the_bits_of_one_that_never_stopped(table: Path) -> None:
    settings = [*SMALL["bag"], "output.checkpoints.every=epoch", "train.schedule=constant"]
    options = {"text": "review", "settings": settings, "verbose": False}
    whole = cr.fit(table, "label", epochs=4, runs_dir=None, **options)
    begun = cr.fit(table, "label", epochs=2, runs_dir=table.parent / "runs", **options)
    more = cr.resume(begun.run, epochs=4, verbose=False)
    assert more.history["val_loss"] == whole.history["val_loss"]
    again = cr.load_run(begun.run)
    assert again.predict(["the film is great"]).tolist() in (["pos"], ["neg"])


def test_a_language_model_goes_on_with_the_same_bits(novel: Path) -> None:
    """Which stretches are drawn does not depend on when a training was stopped."""
    settings = [*SMALL_LANGUAGE[1:3], *LANGUAGE["gpt"], "model.width=16", "train.batch_size=16",
                "output.checkpoints.every=epoch", "train.schedule=constant"]  # fmt: skip
    options: dict[str, Any] = {"task": "language", "settings": settings, "verbose": False}
    whole = cr.fit(novel, epochs=3, runs_dir=None, **options)
    begun = cr.fit(novel, epochs=1, runs_dir=novel.parent / "runs", **options)
    more = cr.resume(begun.run, epochs=3, verbose=False)
    assert more.history["loss"] == whole.history["loss"]
    assert more.history["val_loss"] == whole.history["val_loss"]
    assert more.generate("the", 20) == whole.generate("the", 20)


def test_drafts_name_what_was_recognised(run: Run, table: Path, novel: Path) -> None:
    done(run("init", table.name, "--target", "label", "--text", "review"))
    drafted = Path("run.toml").read_text()
    assert 'kind = "text"' in drafted
    assert 'path = "reviews.tsv"' in drafted
    assert 'text = ["review"]' in drafted
    done(run("train", "run.toml", "--quiet", "train.epochs=1", *SMALL["bag"]))
    Path("run.toml").unlink()
    done(run("init", novel.name, "--task", "language"))
    assert 'task = "language"' in Path("run.toml").read_text()


def test_a_folder_with_a_folder_for_each_class(run: Run, tmp_path: Path) -> None:
    columns = reviews(60)
    for i, (text, label) in enumerate(zip(columns["review"], columns["label"], strict=True)):
        file = tmp_path / "mails" / label / f"{i}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
    done(run("train", "mails", "--quiet", "--epochs", 3, *SMALL["bag"]))
    facts = json.loads(next(Path("runs").glob("*/run.json")).read_text())
    assert facts["classes"] == ["neg", "pos"]
    assert facts["data"]["target"] == "class"
    done(run("predict", "last", "mails/pos", "-o", "out.csv"))
    done(run("eval", "last", "mails"))
    Path("new.txt").write_text("great\nnot great\n")
    done(run("predict", "last", "new.txt", "-o", "out.csv"))
    assert [r["text"] for r in columns_of(Path("out.csv"))] == ["great", "not great"]


def test_texts_beside_numbers_and_categories(tmp_path: Path) -> None:
    path = write(reviews(160), tmp_path / "all.jsonl")
    options = {"text": "review", "runs_dir": None, "verbose": False, "epochs": 15}
    both = cr.fit(path, "label", **options, settings=["model.width=8"])
    assert both.preprocessor.table.names[0] == "stars"
    assert both.metrics["accuracy"] > 0.9
    alone = cr.fit(path, "label", **options, settings=["data.others=false"], network="nbsvm")
    assert not alone.preprocessor.has_others
    rating = cr.fit(path, "stars", **options, settings=["model.width=8", "data.others=false"])
    assert rating.task == "regression"
    assert rating.predict(path).shape == (160,)


def test_texts_in_memory() -> None:
    columns = reviews(80)
    model = cr.fit(columns["review"], columns["label"], epochs=2, runs_dir=None, verbose=False,
                   settings=[*SMALL["bag"]])  # fmt: skip
    assert model.predict(["great", ""]).shape == (2,)
    assert model.predict_proba(["great"]).shape == (1, 2)
    direct = cr.fit_text(columns["review"], columns["label"], epochs=2, runs_dir=None,
                         verbose=False, settings=[*SMALL["bag"]])  # fmt: skip
    assert direct.metrics == model.metrics


def test_a_table_stays_a_table_unless_something_says_otherwise(tmp_path: Path) -> None:
    path = write(reviews(60), tmp_path / "all.tsv")
    model = cr.fit(path, "label", epochs=1, runs_dir=None, verbose=False)
    assert isinstance(model, TablePredictor)


@pytest.mark.parametrize("network", [*LANGUAGE])
def test_a_language_model_from_train_to_generate(run: Run, novel: Path, network: str) -> None:
    small = (*SMALL_LANGUAGE, *LANGUAGE[network])
    trained = done(run("train", novel, "--task", "language", "--network", network, *small))
    assert "characters" in trained.stderr
    assert "next: chainrule generate " in trained.stderr
    assert "5-grams" in trained.stderr or "6-grams" in trained.stderr
    facts = json.loads((Path(trained.stdout.strip()) / "run.json").read_text())
    assert facts["metrics"]["bits_per_character"] < facts["baseline"]["bits_per_character"]
    words = ["generate", "last", "--prompt", "the cat ", "--tokens", 40]
    made = done(run(*words, "--seed", 1)).stdout
    assert len(made) == 41
    assert done(run(*words, "--seed", 1)).stdout == made
    assert done(run(*words, "--seed", 2)).stdout != made
    likeliest = done(run(*words, "--temperature", 0)).stdout
    assert likeliest == done(run(*words, "--top-k", 1)).stdout
    assert done(run("generate", "last", "--tokens", 5)).stdout.endswith("\n")
    evaluated = json.loads(done(run("eval", "last", novel, "--json")).stdout)
    assert evaluated["metrics"]["bits_per_character"] < 5
    done(run("predict", "last", novel, "-o", "out.csv"))
    told = json.loads(done(run("report", "last", "--json")).stdout)
    assert told["test"]["tables"][0]["title"] == "Samples"
    assert told["test"]["charts"][0]["x"][-1] == 16


def test_batches_are_as_long_as_their_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainrule.modalities.text.bounds.MANY_TEXTS", 10)
    columns = reviews(80)
    texts = [f"{text} {'and more' * (i % 3 * 4)}" for i, text in enumerate(columns["review"])]
    options: dict[str, Any] = {"network": "gru", "settings": [*SMALL["gru"]], "epochs": 2,
                               "runs_dir": None, "verbose": False}  # fmt: skip
    model = cr.fit(texts, columns["label"], **options)
    monkeypatch.setattr("chainrule.modalities.text.bounds.MANY_TEXTS", 10_000)
    whole = cr.fit(texts, columns["label"], **options)
    # Other batches, the same task: what is learned is alike, and rows are judged in any batch.
    assert model.history["val_loss"][-1] == pytest.approx(whole.history["val_loss"][-1], abs=0.1)
    assert model.history["val_loss"] != whole.history["val_loss"]


def test_only_language_models_generate(run: Run, table: Path) -> None:
    done(run("train", table, "--target", "label", "--text", "review", "--quiet", "--epochs", 1,
             *SMALL["bag"]))  # fmt: skip
    refused = run("generate", "last")
    assert refused.exit_code == 2
    assert "is no language model" in refused.output


def test_other_tokens_and_other_sources(tmp_path: Path) -> None:
    options = {"task": "language", "network": "gru", "runs_dir": None, "verbose": False}
    settings = [*SMALL_LANGUAGE, *LANGUAGE["gru"], "tokenizer.kind=byte-pair", "tokenizer.size=280"]
    model = cr.fit([story(100, 1), story(100, 2)], **options, settings=settings)
    text = model.generate("the cat", tokens=10, seed=3)
    assert text
    assert model.predict(["the cat sat on the dog.", "xyz %%"]).argmin() == 0


@pytest.mark.parametrize("network", ["transformer", "gru"])
def test_translation_from_train_to_predict(run: Run, tmp_path: Path, network: str) -> None:
    path = write(pairs(160), tmp_path / "pairs.tsv")  # of which 112 are learned from
    own = "model.hidden=32" if network == "gru" else "model.layers=1"
    small = (own, "model.width=32", "tokenizer.size=300", "model.dropout=0", "train.epochs=15",
             "train.lr=0.01", "train.batch_size=16", "--network", network)  # fmt: skip
    trained = done(run("train", path, "--source", "de", "--target", "en", "--task", "translation",
                       *small))  # fmt: skip
    facts = json.loads((Path(trained.stdout.strip()) / "run.json").read_text())
    assert facts["task"] == "translation"
    assert 0 <= facts["metrics"]["bleu"] <= 100
    assert facts["metrics"]["chrf"] > 5
    memory = facts["baselines"]["translation memory"]["bleu"]
    better = memory > facts["metrics"]["bleu"]
    assert ("Worse than a translation memory" in trained.stderr) == better
    new = write({"de": ["rot haus steht 7"]}, tmp_path / "new.tsv")
    done(run("predict", "last", new, "-o", "out.csv"))
    assert columns_of(Path("out.csv"))[0]["text"] == "rot haus steht 7"
    done(run("predict", "last", new, "-o", "beam.csv", "--beam", 3))
    assert columns_of(Path("beam.csv"))[0]["prediction"]
    told = json.loads(done(run("report", "last", "--json")).stdout)
    assert [t["title"].split(":")[0] for t in told["test"]["tables"]][:1] == ["Translations"]
    evaluated = json.loads(done(run("eval", "last", path, "--json")).stdout)
    assert set(evaluated["metrics"]) == {"bleu", "chrf"}


def test_parallel_files_are_pairs(run: Run, tmp_path: Path) -> None:
    made = pairs(60)
    for name, lines in made.items():
        (tmp_path / f"x.{name}").write_text("\n".join(lines) + "\n")
    small = ("model.width=8", "model.heads=2", "model.layers=1", "tokenizer.size=280",
             "train.epochs=1")  # fmt: skip
    done(run("train", "x.de", "--parallel", "x.en", "--task", "translation", "--quiet", *small))
    (tmp_path / "x.en").write_text("\n".join(made["en"][:-1]) + "\n")
    refused = run("train", "x.de", "--parallel", "x.en", "--task", "translation", *small)
    assert refused.exit_code == 2
    assert "x.de has 60 lines and x.en 59" in refused.output
    assert "x.de:60" in refused.output
