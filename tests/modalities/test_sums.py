"""A kind of data that only this folder knows goes through every command."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import chainrule as cr
from chainrule.cli.app import app
from chainrule.errors import ConfigError
from chainrule.runs import registry
from chainrule.runs.recognition import kind_of_source
from modalities.sums import Sums, SumsModel, read_sums

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind is registered during a test, and forgotten after it."""
    monkeypatch.setattr(registry, "_REGISTERED", {})
    registry.register(Sums())


@pytest.fixture
def sums(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    terms = rng.uniform(-5, 5, (400, 2)).round(2)
    path = tmp_path / "small.sums"
    path.write_text("".join(f"{a} + {b} = {a + b!r}\n" for a, b in terms.tolist()))
    return path


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(app, list(map(str, words)))


def done(result: Result) -> Result:
    assert result.exit_code == 0, result.output
    return result


def test_it_trains_reports_predicts_and_goes_on(run: Run, sums: Path, tmp_path: Path) -> None:
    trained = done(run("train", sums, "--width", 8))
    assert "sums: 400 sums -> adder -> sum (a number)" in trained.stderr
    assert "60 test sums" in trained.stderr
    place = Path(trained.stdout.strip())
    facts = json.loads((place / "run.json").read_text())
    assert facts["data"]["kind"] == "sums"
    assert facts["metrics"]["r2"] > 0.95
    assert (place / "report.html").exists()
    told = json.loads(done(run("report", "last", "--json")).stdout)
    assert told["summary"].startswith("A network that adds (33 parameters) was trained on 280 sums")
    assert "test sums that it never saw" in told["result"]
    assert told["commands"][0]["what"] == "predict new sums"
    done(run("predict", "last", sums, "-o", "out.csv"))
    rows = csv.DictReader((tmp_path / "out.csv").read_text().splitlines())
    errors = [float(row["prediction"]) for row in rows] - read_sums(sums)[:, 2]
    assert np.abs(errors).mean() < 0.5
    assert "r2" in done(run("eval", "last", sums, "--min", "r2=0.9")).stdout
    more = run("resume", "last", "--epochs", 400)
    assert more.exit_code == 0 or "was stopped early" in more.output
    assert "400 sums" in done(run("runs", "show", "last")).stdout
    assert cr.load_run(place).history.epoch[-1] > 0


def test_a_training_that_goes_on_has_the_bits_of_one_that_never_stopped(
    run: Run, sums: Path
) -> None:
    options = {"verbose": False, "patience": 99, "settings": ["output.checkpoints.every=epoch"]}
    whole = cr.fit(sums, epochs=6, runs_dir="whole", **options)
    half = cr.fit(sums, epochs=3, runs_dir="half", **options)
    assert half.run is not None
    more = cr.resume(half.run, epochs=6, verbose=False)
    for name, value in whole.model.state_dict().items():
        assert np.array_equal(np.asarray(value), np.asarray(more.model.state_dict()[name])), name


def test_it_is_checked_and_described(run: Run, sums: Path) -> None:
    checks = json.loads(done(run("check", sums, "--json")).stdout)["checks"]
    assert checks[0]["evidence"] == ["0 of 400 are wrong"]
    assert [c["name"] for c in checks if c["status"] == "failed"] == []
    assert done(run("find-lr", sums)).stdout.startswith("train.lr=")
    assert "--width" in done(run("train", "--help")).stdout
    assert "1 + 2 = 3" in done(run("train", "--help")).stdout
    assert "width" in done(run("config", "schema", "model", "--kind", "sums")).stdout
    assert "width = 16" in done(run("init", sums, "-o", "-")).stdout
    assert "epochs of" in done(run("config", "show", sums, "--schedule")).stdout


def test_folds_and_settings(run: Run, sums: Path) -> None:
    group = done(run("train", sums, "--folds", 2, "--epochs", 2, "model.width=4", "-q"))
    done(run("resume", group.stdout.strip(), "-q"))
    listed = json.loads(done(run("runs", "ls", "--json")).stdout)
    assert [(line["runs"], line["status"]) for line in listed] == [(2, "done")]
    found = cr.cross_validate(sums, folds=2, epochs=2, width=4, runs_dir=None, verbose=False)
    assert (
        found.summary
        == json.loads((Path(group.stdout.strip()) / "group.json").read_text())["summary"]
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("train", "small.sums", "--target", "x"), "--target does not apply to sums"),
        (("train", "heart", "--width", "3"), "--width does not apply to tables"),
        (("train", "small.sums", "model.layers=[3]"), "`model.layers` is for tables"),
        (("train", "heart", "model.width=3"), "`model.width` is for sums"),
        (("train", "bad.sums"), "is no sum"),
        (("train", "small.sums", "--seeds", "2", "--epochs", "0"), "train.epochs"),
    ],
)
def test_mistakes(run: Run, sums: Path, words: tuple[str, ...], message: str) -> None:
    (sums.parent / "bad.sums").write_text("1 + 2 = 3\n1 - 2 = -1\n")
    result = run(*words)
    assert result.exit_code == 2
    assert message in result.output
    assert not list(sums.parent.glob("runs/*"))


def test_sections_say_where_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SumsModel, "TABLE", "")
    with pytest.raises(ConfigError, match="the section `model` of SumsSettings"):
        registry.register(Sums())


def test_what_was_asked_decides_where_a_source_may_be_of_several_kinds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Sums, "recognises", lambda self, source: 0.9)
    assert kind_of_source("a.csv").name == "tables"  # which are surer of it
    assert kind_of_source("a.csv", {"width": 4}).name == "sums"
    assert kind_of_source("a.csv", {"width": 4, "task": "binary"}).name == "tables"
    assert kind_of_source("a.csv", {"layers": (4,)}).name == "tables"
    monkeypatch.setattr(Sums, "recognises", lambda self, source: 1.0)
    with pytest.raises(ConfigError, match="may be tables or sums"):
        kind_of_source("a.csv")
