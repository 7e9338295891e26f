"""``predict`` and ``eval``: round trips through every format, and runs by every name."""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chainrule.cli.terminal import print_rows
from chainrule.data import bundled
from chainrule.modalities.doors import load_run
from chainrule.modalities.tables.predictor import TablePredictor

from .conftest import Command

SAME_NAME = "SELECT *, 1 AS probability_no FROM data"


@pytest.fixture(scope="session")
def predictor(runs: Path) -> TablePredictor:
    return load_run(next(runs.iterdir()))


@pytest.fixture
def last(runs: Path) -> list[str]:
    return ["last", "--runs-dir", str(runs)]


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "tsv", "jsonl", "jsonl.gz", "parquet"])
def test_output_formats(
    ending: str, command: Command, folder: Path, last: list[str], predictor: TablePredictor
) -> None:
    out = folder / f"out.{ending}"
    result = command("predict", *last, "heart", "-o", out, "--proba", "--keep", "age")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ""
    assert "918 predictions of disease written to" in result.stderr
    if ending == "parquet":
        frame = pd.read_parquet(out)
    elif ending.startswith("jsonl"):
        frame = pd.read_json(out, lines=True)
    else:
        frame = pd.read_csv(out, sep="\t" if ending == "tsv" else ",")
    assert list(frame) == ["age", "prediction", "probability_no", "probability_yes"]
    assert frame["prediction"].tolist() == predictor.predict("heart").tolist()
    shares = frame[["probability_no", "probability_yes"]].to_numpy()
    np.testing.assert_allclose(shares, predictor.predict_proba("heart"), rtol=1e-9)
    assert [p.name for p in folder.iterdir()] == [out.name]


def test_equal_predictions_make_equal_files(
    command: Command, folder: Path, last: list[str]
) -> None:
    for name in ("a.csv.gz", "b.csv.gz"):
        assert command("predict", *last, "heart", "-o", name).exit_code == 0
    assert (folder / "a.csv.gz").read_bytes() == (folder / "b.csv.gz").read_bytes()
    assert gzip.decompress((folder / "a.csv.gz").read_bytes()).startswith(b"prediction\n")


def test_stdout_is_csv(command: Command, last: list[str], predictor: TablePredictor) -> None:
    result = command("predict", *last, "heart")
    rows = list(csv.reader(io.StringIO(result.stdout)))
    assert rows[0] == ["prediction"]
    assert [r[0] for r in rows[1:]] == predictor.predict("heart").tolist()
    assert result.stderr == ""
    shares = csv.DictReader(io.StringIO(command("predict", *last, "heart", "--proba").stdout))
    written = [float(row["probability_yes"]) for row in shares]
    assert written == predictor.predict_proba("heart")[:, 1].tolist()


def test_the_table_may_be_turned_and_wider(command: Command, folder: Path, last: list[str]) -> None:
    frame = pd.read_csv(bundled("heart").path).drop(columns="disease")
    frame[list(reversed(frame.columns))].assign(extra=1).to_csv(folder / "turned.csv", index=False)
    turned, plain = command("predict", *last, "turned.csv"), command("predict", *last, "heart")
    assert turned.stdout == plain.stdout
    assert turned.stderr == ""


def test_a_missing_column_is_an_error(command: Command, folder: Path, last: list[str]) -> None:
    frame = pd.read_csv(bundled("heart").path).rename(columns={"thalch": "thalach"})
    frame.to_csv(folder / "less.csv", index=False)
    result = command("predict", *last, "less.csv", "-o", "out.csv")
    assert result.exit_code == 2
    assert "has no column `thalch`" in result.stderr
    assert "did you mean `thalach`" in result.stderr
    assert not (folder / "out.csv").exists()


def test_what_was_never_seen_is_told(command: Command, folder: Path, last: list[str]) -> None:
    frame = pd.read_csv(bundled("heart").path).assign(restecg="odd")
    frame.loc[0, "age"] = np.nan
    frame.to_csv(folder / "odd.csv", index=False)
    result = command("predict", *last, "odd.csv", "-o", "out.csv")
    assert result.exit_code == 0
    assert "D201" in result.stderr
    assert "D202" in result.stderr
    assert len((folder / "out.csv").read_text().splitlines()) == 919


def test_text_in_a_number_column_is_an_error(
    command: Command, folder: Path, last: list[str]
) -> None:
    text = bundled("heart").path.read_text().replace("\n67,Male", "\nold,Male", 1)
    (folder / "text.csv").write_text(text)
    result = command("predict", *last, "text.csv")
    assert result.exit_code == 2
    assert "`old` in column `age` is not a number" in result.stderr
    assert "row 2" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "out.xlsx"], "does not end in a format"),
        (["-o", "missing/out.csv"], "cannot be written"),
        (["-o", "/dev/full/x.csv"], "cannot be written"),
        (["-o", "missing/out.parquet"], "cannot be written"),
        (["--keep", "agee"], "did you mean `age`"),
        (
            ["--keep", "prediction", "--query", "SELECT *, 1 AS prediction FROM data"],
            "already have a column named `prediction`",
        ),
        (
            ["--proba", "--keep", "probability_no", "--query", SAME_NAME],
            "already have a column named `probability_no`",
        ),
    ],
)
def test_mistakes(
    arguments: list[str], message: str, command: Command, folder: Path, last: list[str]
) -> None:
    result = command("predict", *last, "heart", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("output", ["rows.csv", "link.csv"])
def test_the_table_itself_is_not_replaced(
    output: str, command: Command, folder: Path, last: list[str]
) -> None:
    text = bundled("heart").path.read_text()
    (folder / "rows.csv").write_text(text)
    (folder / "link.csv").symlink_to("rows.csv")
    result = command("predict", *last, "rows.csv", "-o", output)
    assert result.exit_code == 2
    assert "would be overwritten" in result.stderr
    assert (folder / "rows.csv").read_text() == text


def test_a_column_kept_twice_comes_once(command: Command, last: list[str]) -> None:
    result = command("predict", *last, "heart", "--keep", "age", "--keep", "age")
    assert result.stdout.split("\n")[0] == "age,prediction"


def test_runs_are_found_by_path_name_and_end(command: Command, runs: Path) -> None:
    [run] = runs.iterdir()
    wanted = command("predict", "last", "heart", "--runs-dir", runs).stdout
    assert command("predict", run, "heart").stdout == wanted
    for name in (run.name, run.name[-4:], run.name[-6:], run.name[16:-5]):
        assert command("predict", name, "heart", "--runs-dir", runs).stdout == wanted


def test_runs_that_are_none(command: Command, folder: Path, runs: Path) -> None:
    result = command("predict", "last", "heart")
    assert result.exit_code == 2
    assert "no finished run" in result.stderr
    result = command("predict", "zzzz", "heart", "--runs-dir", runs)
    assert result.exit_code == 2
    assert "did you mean" in result.stderr
    result = command("predict", folder, "heart")
    assert result.exit_code == 2
    assert "no run.json" in result.stderr


def test_an_end_that_two_runs_share(command: Command, folder: Path, runs: Path) -> None:
    [run] = runs.iterdir()
    for start in ("a", "b"):
        shutil.copytree(run, folder / "runs" / f"{start}-heart-0000")
    result = command("predict", "0000", "heart")
    assert result.exit_code == 2
    assert "'0000' is ambiguous: 2 runs" in result.stderr
    assert command("predict", "a-heart-0000", "heart").exit_code == 0


def test_eval_agrees_with_python(
    command: Command, last: list[str], predictor: TablePredictor
) -> None:
    expected = predictor.evaluate("heart")
    assert expected["accuracy"] > 0.75
    result = command("eval", *last, "heart", "--json")
    assert json.loads(result.stdout)["metrics"] == expected
    lines = command("eval", *last, "heart").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(expected)


def test_gates(command: Command, last: list[str]) -> None:
    passed = command("eval", *last, "heart", "--min", "accuracy=0.5", "--max", "log_loss=1")
    assert passed.exit_code == 0
    failed = command("eval", *last, "heart", "--min", "accuracy=0.99")
    assert failed.exit_code == 1
    assert "must be at least 0.99" in failed.stderr
    assert command("eval", *last, "heart", "--max", "log_loss=0.01").exit_code == 1
    wrong = command("eval", *last, "heart", "--min", "acuracy=0.9")
    assert wrong.exit_code == 2
    assert "did you mean accuracy" in wrong.stderr
    assert command("eval", *last, "heart", "--min", "accuracy=high").exit_code == 2
    assert command("eval", *last, "heart", "--min", "accuracy=nan").exit_code == 2


def test_eval_needs_known_labels(command: Command, folder: Path, last: list[str]) -> None:
    text = bundled("heart").path.read_text()
    (folder / "labels.csv").write_text(text.replace(",no\n", ",none\n", 1))
    result = command("eval", *last, "labels.csv")
    assert result.exit_code == 2
    assert "`none` is not a class of" in result.stderr


EVIL = "[/b]\x1b[31m\x9b"


def test_names_that_would_be_obeyed(command: Command, folder: Path) -> None:
    """By a terminal, by rich, or by a spreadsheet that opens the predictions."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=60).round(3)
    frame = pd.DataFrame({EVIL: x, "=cmd|' /C calc'!A0": x, "+sum": ["=1+1"] * 60,
                          "y": np.where(x > 0, EVIL, "[red]")})  # fmt: skip
    frame.to_csv(folder / "evil.csv", index=False)
    result = command("train", "evil.csv", "--target", "y", "--epochs", 2, "--color", "always")
    assert result.exit_code == 0, result.stderr
    assert "\x9b" not in result.stderr
    result = command("predict", "last", "evil.csv", "-o", "out.csv", "--proba",
                     "--keep", "=cmd|' /C calc'!A0", "--keep", "+sum")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert "would run as a formula" in result.stderr
    written = pd.read_csv(folder / "out.csv")
    assert list(written)[:2] == ["'=cmd|' /C calc'!A0", "'+sum"]
    assert set(written["'+sum"]) == {"'=1+1"}
    assert set(written["prediction"]) <= {EVIL, "[red]"}
    result = command("predict", "last", "evil.csv", "-o", "out.jsonl", "--keep", "+sum")
    assert "formula" not in result.stderr
    assert json.loads((folder / "out.jsonl").read_text().splitlines()[0])["+sum"] == "=1+1"
    gate = f"{EVIL}=1"
    for words in (["predict", "last", "none.csv"], ["eval", "last", "evil.csv", "--min", gate],
                  ["runs", "show", EVIL], ["report", "last", "--json"], ["runs", "ls"],
                  ["runs", "show", "last"], ["config", "show", "last"]):  # fmt: skip
        result = command(*words)
        assert "\x1b" not in result.output, words
        assert "\x9b" not in result.output, words


def test_rows_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names are no markup."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    print_rows([("a", "[b]"), ("[/b]", ":smile:\x1b[2J")])
    shown = capsys.readouterr().out
    assert "[/b]" in shown
    assert ":smile:\\x1b[2J" in shown


def test_eval_on_the_training_data_says_so(command: Command, runs: Path, folder: Path) -> None:
    said = "the run was trained on this data"
    assert said in command("eval", "last", "heart", "--runs-dir", runs).stderr
    copied = folder / "copy.csv"
    copied.write_bytes(bundled("heart").path.read_bytes())
    assert said in command("eval", "last", copied, "--runs-dir", runs).stderr
    lines = copied.read_text().splitlines(True)
    copied.write_text("".join(lines[:200]))
    result = command("eval", "last", copied, "--runs-dir", runs)
    assert said not in result.stderr
    assert "f1 of yes" in result.stdout
