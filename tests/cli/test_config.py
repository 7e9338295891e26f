"""``chainrule init`` and ``chainrule config``: settings are written, completed, shown, compared."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from chainrule.data import bundled

from .conftest import Command


@pytest.fixture
def csv(folder: Path) -> Path:
    path = folder / "data" / "heart.csv"
    path.parent.mkdir()
    path.write_bytes(bundled("heart").path.read_bytes())
    return path


def weights(stdout: str) -> bytes:
    return (Path(stdout.strip()) / "model.safetensors").read_bytes()


def test_init_writes_what_train_would_infer(command: Command, csv: Path, folder: Path) -> None:
    made = command("init", csv, "--target", "disease", "--missing", "chol=0")
    assert made.exit_code == 0, made.stderr
    assert "next: chainrule train run.toml" in made.stderr
    text = (folder / "run.toml").read_text()
    document = tomllib.loads(text)
    assert document["data"]["path"] == "data/heart.csv"
    assert document["data"]["columns"]["fbs"] == "boolean"
    assert document["data"]["missing"] == {"chol": [0]}
    assert 'age = "number"  # 28 to 77' in text
    assert 'task = "binary"  # 2 classes: no, yes' in text
    direct = command(
        "train", csv, "--target", "disease", "--missing", "chol=0", "--epochs", 2, "-q"
    )
    written = command("train", "run.toml", "train.epochs=2", "-q")
    assert weights(direct.stdout) == weights(written.stdout)


@pytest.mark.parametrize("others", [[], ["--missing", "oldpeak=99"]])
def test_init_spells_fixes_as_entries_of_the_file(
    others: list[str], command: Command, csv: Path, folder: Path
) -> None:
    made = command("init", csv, "--target", "disease", *others)
    [(heading, entry)] = re.findall(r"fix:  (\[[\w.]+\]) (.*)$", made.stderr, re.MULTILINE)
    text = (folder / "run.toml").read_text()
    replaced = re.sub(rf"^{entry.partition(' = ')[0]} = .*\n", "", text, flags=re.MULTILINE)
    changed = replaced.replace(f"{heading}\n", f"{heading}\n{entry}\n")
    (folder / "run.toml").write_text(changed)
    told = command("train", "run.toml", "train.epochs=1").stderr
    assert "settings in" in made.stderr
    assert "D106" in made.stderr
    assert "D106" not in told
    assert tomllib.loads(changed)["data"]["missing"]["chol"] == [0]


def test_init_keeps_the_kind_of_the_target(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "t.csv").write_text("a,b\n" + "\n".join(f"{i},{i % 4}" for i in range(60)))
    monkeypatch.setenv("CHAINRULE_SETTINGS", "data.columns.b=number")
    result = command("init", "t.csv", "--target", "b", "-o", "-", "-q")
    data = tomllib.loads(result.stdout)["data"]
    assert (data["task"], data["columns"]) == ("regression", {"a": "number", "b": "number"})


def test_init_for_a_bundled_table(command: Command, folder: Path) -> None:
    result = command("init", "breast_cancer", "-o", "-", "-q")
    document = tomllib.loads(result.stdout)
    assert document["data"]["path"] == "breast_cancer"
    assert document["data"]["target"] == "diagnosis"
    assert len(document["data"]["columns"]) == 30


def test_init_replaces_nothing(command: Command, folder: Path) -> None:
    (folder / "run.toml").write_text("mine")
    result = command("init", "heart")
    assert result.exit_code == 2
    assert "exists" in result.stderr
    assert (folder / "run.toml").read_text() == "mine"
    assert command("init", "heart", "--force").exit_code == 0


def test_train_from_another_folder(command: Command, csv: Path, folder: Path) -> None:
    (csv.parent / "run.toml").write_text('[data]\npath = "heart.csv"\ntarget = "disease"\n')
    result = command("train", "data/run.toml", "--epochs", 1, "-q")
    assert result.exit_code == 0, result.stderr
    saved = tomllib.loads((Path(result.stdout.strip()) / "run.toml").read_text())
    assert saved["data"]["path"] == str(csv)
    assert saved["train"]["epochs"] == 1


def test_the_resolved_copy_trains_to_the_same_bits(command: Command, folder: Path) -> None:
    first = command("train", "heart", "train.epochs=2", "train.schedule=cosine", "-q")
    again = command("train", Path(first.stdout.strip()) / "run.toml", "-q")
    assert weights(first.stdout) == weights(again.stdout)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[train]\nlerning_rate = 1", ("run.toml:2", "train.lerning_rate")),
        ("[train]\nlr = 0.1\n\n[model]\ndropout = 2\n", ("run.toml:5", "from 0 to 0.95")),
        ("[train.optimizer]\nname = 'sdg'", ("run.toml:2", "did you mean 'sgd'")),
        ("[data]\nsplit = [1, 0, 0]", ("run.toml:2", "the first two above 0, together 1")),
        ("seed = 1\nseed = 2", ("run.toml", "not TOML")),
        ("[data]\npath = 'none.csv'\ntarget = 'y'", ("none.csv",)),
    ],
)
def test_mistakes_in_a_file(
    text: str, message: tuple[str, ...], command: Command, folder: Path
) -> None:
    (folder / "run.toml").write_text(text)
    result = command("train", "run.toml")
    assert result.exit_code == 2
    for part in message:
        assert part in result.stderr
    assert [p.name for p in folder.iterdir()] == ["run.toml"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train.lerning_rate=0.01"], "did you mean `train.lr`"),
        (["heart2"], "not KEY=VALUE"),
        (["train.schedule=cosin"], "did you mean 'cosine'"),
        (["train.schedule=step", "train.schedule.every='900 epochs'"], "the run has"),
        (["train.early_stopping.monitor=val_f1", "train.epochs=1"], "val_f1"),
    ],
)
def test_mistakes_in_words(words: list[str], message: str, command: Command) -> None:
    result = command("train", "heart", *words)
    assert result.exit_code == 2
    assert message in result.stderr


def test_show_tells_origins(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "run.toml").write_text("[train]\nlr = 0.1\nepochs = 5\n")
    monkeypatch.setenv("CHAINRULE_SETTINGS", "seed=4 train.epochs=6")
    result = command("config", "show", "run.toml", "train.accumulate=2", "--origin")
    assert tomllib.loads(result.stdout)["train"]["epochs"] == 6
    for line in (
        "lr = 0.1  # run.toml:2",
        "epochs = 6  # environment variable CHAINRULE_SETTINGS",
        "accumulate = 2  # command line",
        "time_limit = 0.0  # default",
    ):
        assert line in result.stdout
    found = json.loads(command("config", "show", "run.toml", "--origin", "--json").stdout)
    assert found["origin"]["train.lr"] == "run.toml:2"
    assert found["settings"]["seed"] == 4
    assert tomllib.loads(command("config", "show").stdout)["train"]["lr"] == "auto"
    assert tomllib.loads(command("config", "show", "seed=2").stdout)["seed"] == 2


def test_show_draws_the_schedule(command: Command, folder: Path) -> None:
    result = command(
        "config", "show", "heart", "train.schedule=one_cycle", "train.epochs=10", "--schedule"
    )
    drawing = result.stdout.partition("one_cycle: 10 epochs of 21 steps\n")[2]
    assert drawing.count("*") > 60
    assert "209" in drawing


def test_fill_keeps_what_is_there(command: Command, folder: Path) -> None:
    (folder / "run.toml").write_text('[data]\npath = "x.csv"\n[train]\nlr = 0.1\n')
    result = command("config", "fill", "run.toml")
    document = tomllib.loads(result.stdout)
    assert (document["data"]["path"], document["train"]["lr"]) == ("x.csv", 0.1)
    assert len(re.findall(r"^\S+ = .*  # ", result.stdout, re.MULTILINE)) > 40
    assert command("config", "fill", "run.toml", "-o", "run.toml").exit_code == 0
    assert (folder / "run.toml").read_text() == result.stdout


def test_diff(command: Command, folder: Path) -> None:
    (folder / "a.toml").write_text("[train]\nlr = 0.1\n")
    (folder / "b.toml").write_text('[train]\noptimizer = "sgd"\n')
    result = command("config", "diff", "a.toml", "b.toml")
    assert re.search(r'train.lr +0.1 -> "auto"', result.stdout)
    assert re.search(r'train.optimizer.name +"adamw" -> "sgd"', result.stdout)
    found = json.loads(command("config", "diff", "a.toml", "b.toml", "--json").stdout)
    assert found["train.optimizer.eps"] == ["1e-08", ""]
    assert "identical" in command("config", "diff", "a.toml", "a.toml").stderr


def test_schema(command: Command) -> None:
    whole = json.loads(command("config", "schema").stdout)
    assert whole["$schema"].startswith("https://json-schema.org/")
    part = json.loads(command("config", "schema", "train.clip").stdout)
    assert part == whole["properties"]["train"]["properties"]["clip"]
    result = command("config", "schema", "trian")
    assert result.exit_code == 2
    assert "did you mean `train`" in result.stderr
