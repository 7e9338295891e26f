"""``chainrule train``: what it prints where, what it leaves behind, which words it understands."""

from __future__ import annotations

import gzip
import json
import shlex
import shutil
import tomllib
from pathlib import Path

import pandas as pd
import pytest

from chainrule.data import bundled
from chainrule.modalities.doors import load_run

from .conftest import Command

FILES = {"run.toml", "run.json", "metrics.jsonl", "events.jsonl", "log.txt", "model.safetensors",
         "pipeline.json", "evaluation.json", "report.html", "checkpoints"}  # fmt: skip


def test_stdout_is_the_run_and_stderr_the_talk(command: Command, folder: Path) -> None:
    result = command("train", "heart", "--epochs", 3)
    assert result.exit_code == 0
    run = Path(result.stdout.strip())
    assert run.parent == Path("runs")
    assert {p.name for p in run.iterdir()} == FILES
    for part in ("918 rows", "epoch", "accuracy", "always the same guess", "next: chainrule"):
        assert part in result.stderr
    facts = json.loads((run / "run.json").read_text())
    assert facts["status"] == "done"
    assert facts["task"] == "binary"
    assert facts["data"]["rows"] == 918
    assert facts["data"]["fingerprint"].startswith("sha256:")
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 3
    assert "accuracy" in (run / "log.txt").read_text()


def test_every_option_reaches_the_settings(command: Command, folder: Path) -> None:
    result = command(
        "train", "heart", "--epochs", 2, "--lr", 0.01, "--batch-size", 100, "--seed", 3,
        "--layers", "8,4", "--dropout", 0.1, "--weight-decay", 0, "--patience", 2, "--name", "tiny",
        "--missing", "chol=0,-9", "--missing", "sex=Unknown", "--column", "fbs=ignored",
        "--threads", 1, "--quiet",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    run = Path(result.stdout.strip())
    assert "-tiny-" in run.name
    settings = tomllib.loads((run / "run.toml").read_text())
    assert settings["seed"] == 3
    assert settings["data"]["missing"] == {"chol": [0, -9], "sex": ["Unknown"]}
    assert settings["data"]["columns"] == {"fbs": "ignored"}
    assert settings["model"].items() >= {"layers": [8, 4], "dropout": 0.1}.items()
    expected = {"epochs": 2, "lr": 0.01, "batch_size": 100}
    assert expected.items() <= settings["train"].items()
    assert settings["train"]["optimizer"]["weight_decay"] == 0.0
    assert settings["train"]["early_stopping"]["patience"] == 2
    assert "fbs" not in load_run(run).preprocessor.names


def test_json_lines(command: Command, folder: Path) -> None:
    result = command("train", "heart", "--epochs", 2, "--json")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [e["event"] for e in events] == ["start", "epoch", "epoch", "done"]
    assert events[1]["epoch"] == 1
    assert set(events[-1]["metrics"]) == {"accuracy", "f1", "roc_auc", "log_loss"}
    assert Path(events[-1]["run"]).is_dir()
    assert result.stderr == ""


def test_the_report(command: Command, folder: Path) -> None:
    run = Path(command("train", "heart", "--epochs", 1, "-q", "output.report=false").stdout.strip())
    assert not (run / "report.html").exists()
    assert command("report", "last").stdout.strip() == str(run / "report.html")
    assert "918" in (run / "report.html").read_text()
    assert command("report", "last", "-o", "page.html").exit_code == 0
    facts = json.loads(command("report", "last", "--json").stdout)
    assert facts["status"] == "done"
    assert (folder / "page.html").read_text() == (run / "report.html").read_text()
    assert command("report", "nothing").exit_code == 2


def test_the_same_command_twice_gives_the_same_bits(command: Command, folder: Path) -> None:
    made = [command("train", "heart", "--epochs", 8, "-q", "--threads", n) for n in (1, 2, 3)]
    weights = {(Path(r.stdout.strip()) / "model.safetensors").read_bytes() for r in made}
    pipelines = {(Path(r.stdout.strip()) / "pipeline.json").read_bytes() for r in made}
    assert len(weights) == len(pipelines) == 1


@pytest.mark.parametrize("ending", ["csv.gz", "tsv", "parquet", "jsonl", "jsonl.gz"])
def test_formats_agree(ending: str, command: Command, folder: Path) -> None:
    frame = pd.read_csv(bundled("heart").path)
    path = folder / f"table.{ending}"
    if ending == "parquet":
        frame.to_parquet(path)
    elif ending.startswith("jsonl"):
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False, sep="\t" if ending == "tsv" else ",")
    options = ["--target", "disease", "--missing", "chol=0", "--epochs", 2, "-q"]
    ours = command("train", path, *options)
    assert ours.exit_code == 0, ours.stderr
    theirs = command("train", bundled("heart").path, *options)
    models = [(Path(r.stdout.strip()) / "model.safetensors").read_bytes() for r in (ours, theirs)]
    assert models[0] == models[1]


def test_a_file_named_like_a_bundled_table_wins(command: Command, folder: Path) -> None:
    (folder / "heart").write_text("a,b\n" + "\n".join(f"{i},{i % 2}" for i in range(50)))
    result = command("train", "heart", "--target", "b", "--epochs", 1)
    assert "50 rows" in result.stderr


def test_the_kind_of_the_target_sets_the_task(command: Command, folder: Path) -> None:
    lines = "\n".join(f"{i},{i % 4}" for i in range(60))
    (folder / "t.csv").write_text(f"a,b\n{lines}\n")

    def learned(kind: str) -> tuple[str, str]:
        result = command("train", "t.csv", "--target", "b", "--column", f"b={kind}", "--epochs", 1)
        assert result.exit_code == 0, result.stderr
        run = Path(result.stdout.strip())
        assert load_run(run).task == json.loads((run / "run.json").read_text())["task"]
        return load_run(run).task, result.stderr

    assert learned("number")[0] == "regression"
    task, said = learned("category")
    assert task == "multiclass"
    assert "D110" not in said
    refused = command("train", "t.csv", "--target", "b", "--column", "b=ignored")
    assert refused.exit_code == 2
    assert "the target `b` cannot be `ignored`" in refused.stderr


def test_a_query_selects_rows_and_columns(command: Command, folder: Path) -> None:
    query = "SELECT age, oldpeak, disease FROM data WHERE sex = 'Male'"
    result = command("train", "heart", "--query", query, "--epochs", 1)
    assert "725 rows, 2 columns" in result.stderr


def test_findings_come_with_the_option_that_follows_them(command: Command, folder: Path) -> None:
    path = bundled("heart").path
    result = command("train", path, "--target", "disease", "--epochs", 1)
    assert "D106" in result.stderr
    assert "fix:  --missing chol=0" in result.stderr
    run = Path(result.stdout.strip())
    assert "fix:  'data.missing.chol=[0]'" in (run / "log.txt").read_text()
    [finding] = json.loads((run / "run.json").read_text())["findings"]
    assert finding["fix"] == "'data.missing.chol=[0]'"
    assert finding["setting"] == {"key": "data.missing.chol", "value": [0]}
    [told] = json.loads(command("report", run, "--json").stdout)["findings"]
    assert told == finding
    assert "<code>&#x27;data.missing.chol=[0]&#x27;</code>" in (run / "report.html").read_text()
    again = command("train", path, "--target", "disease", "--epochs", 1, "--json",
                    "data.missing.chol=[0]")  # fmt: skip
    assert "D106" not in again.stdout


def test_findings_as_json(command: Command, folder: Path) -> None:
    path = bundled("heart").path
    result = command("train", path, "--target", "disease", "--epochs", 1, "--json")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    [finding] = [e for e in events if e["event"] == "finding"]
    assert finding["code"] == "D106"
    assert finding["setting"] == {"key": "data.missing.chol", "value": [0]}
    assert finding["advice"] == ""


def test_init_spells_fixes_without_an_option_of_its_own(command: Command, folder: Path) -> None:
    lines = ["zip,y", *(f"{i % 30},{i % 2}" for i in range(100))]
    Path("t.csv").write_text("\n".join(lines))
    assert 'fix:  [data.columns] zip = "number"' in command("init", "t.csv", "--target", "y").stderr
    assert command("train", "run.toml", "data.columns.zip=number", "--epochs", 1).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "diseas"], "did you mean `disease`"),
        (["--targt", "disease"], "--target"),
        (["--task", "binry"], "binary"),
        (["--missing", "chol"], "not COLUMN=VALUE"),
        (["--missing", "cholesterol=0"], "no column named `cholesterol`"),
        (["--column", "chol"], "not COLUMN=KIND"),
        (["--column", "chol=numbr"], "did you mean 'number'"),
        (["--layers", "big"], "not a list of whole numbers such as 64,64"),
        (["--layers", "-3"], "not a list of whole numbers such as 64,64"),
        (["--layers", "64,"], "not a list of whole numbers such as 64,64"),
        (["--lr", "0"], "`train.lr` is 0.0"),
        (["--lr", "fast"], "not a valid float"),
        (["--epochs", "0"], "`train.epochs` is 0"),
        (["--threads", "0"], "invalid number of threads: 0"),
        (["--seed", "-1"], "`seed` is -1"),
        (["--query", "SELEC 1"], "error: "),
        (["--query", "SELECT * FROM '/etc/passwd'"], "error: "),
        (["--query", "SELECT chol FROM data", "--target", "age"], "the columns are `chol`"),
        (["--runs-dir", "/proc/none"], "where: /proc/none\n"),
    ],
)
def test_mistakes(arguments: list[str], message: str, command: Command, folder: Path) -> None:
    result = command("train", "heart", *arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert list(folder.iterdir()) == []


def test_the_next_command_can_be_pasted(command: Command, folder: Path) -> None:
    shutil.copy(bundled("heart").path, folder / "my rows.csv")
    options = ["--target", "disease", "--epochs", "1", "--runs-dir", "my runs"]
    result = command("train", "my rows.csv", *options)
    words = shlex.split(result.stderr.partition("next: chainrule ")[2])
    assert words[0] == "predict"
    assert command(*words).exit_code == 0
    assert len(pd.read_csv(folder / "out.csv")) == 918


def test_training_that_diverges_exits_with_three(command: Command, folder: Path) -> None:
    path = folder / "big.csv"
    path.write_text("a,b\n" + "\n".join(f"{i},{i * i}" for i in range(100)))
    layers = ",".join(["16"] * 4)
    result = command("train", path, "--target", "b", "--lr", 1000, "--layers", layers,
                     "--dropout", 0, "--epochs", 300, "--patience", 300)  # fmt: skip
    assert result.exit_code == 3
    assert "lower the learning rate" in result.stderr


def test_gzip_by_content(command: Command, folder: Path) -> None:
    path = folder / "heart.csv"
    path.write_bytes(gzip.compress(bundled("heart").path.read_bytes()))
    assert command("train", path, "--target", "disease", "--epochs", 1, "-q").exit_code == 0
