"""``chainrule report``: the page, its facts as JSON, TensorBoard's files."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from chainrule.report import report_html
from chainrule.runs.folder import RunFolder

from .conftest import Command


@pytest.fixture
def run(runs: Path, folder: Path) -> Path:
    """A copy of the run, as ``runs/<name>``."""
    [found] = runs.iterdir()
    place = folder / "runs" / found.name
    shutil.copytree(found, place, ignore=shutil.ignore_patterns("report.html"))
    return Path("runs") / found.name


def test_the_page_goes_into_the_run(command: Command, run: Path) -> None:
    result = command("report", "last")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{run / 'report.html'}\n"
    assert (run / "report.html").read_text(encoding="utf-8") == report_html(run)
    assert "heart: predicting disease" in report_html(run)


def test_elsewhere(command: Command, run: Path, folder: Path) -> None:
    result = command("report", run.name[-4:], "-o", "page.html")
    assert result.stdout == "page.html\n"
    assert (folder / "page.html").is_file()
    assert not (run / "report.html").exists()
    failed = command("report", "last", "-o", "missing/page.html")
    assert failed.exit_code == 2
    assert "cannot write" in failed.stderr


def test_json(command: Command, run: Path) -> None:
    facts = json.loads(command("report", "last", "--json").stdout)
    assert facts["format"] == "chainrule.report"
    assert facts["metrics"][0]["name"] == "accuracy"
    assert sum(map(sum, facts["test"]["confusion"])) == facts["split"]["test"]
    assert not (run / "report.html").exists()


def test_tensorboard(command: Command, run: Path, folder: Path) -> None:
    result = command("report", "last", "--tensorboard", "logs")
    assert result.exit_code == 0, result.stderr
    assert "logs" in result.stderr
    assert sorted(p.name for p in (folder / "logs").iterdir()) == ["train", "validation"]
    assert not (run / "report.html").exists()


def test_a_run_that_is_being_written(command: Command, run: Path) -> None:
    facts = json.loads((run / "run.json").read_text()) | {"status": "running"}
    (run / "run.json").write_text(json.dumps(facts))
    writer = RunFolder.open(run, facts)
    assert json.loads(command("report", "last", "--json").stdout)["status"] == "running"
    writer.close()
    assert json.loads(command("report", "last", "--json").stdout)["status"] == "killed"


def test_half_a_run(command: Command, run: Path) -> None:
    for file in ("run.json", "pipeline.json", "evaluation.json", "model.safetensors"):
        (run / file).unlink()
    result = command("report", run)
    assert result.exit_code == 0, result.stderr
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "run.json is missing" in page
    assert "Training" in page


def test_no_run(command: Command, folder: Path) -> None:
    missing = (
        ("last", "no finished run"),
        ("none", "no run named"),
        (folder / "none", "there is no"),
    )
    for name, told in missing:
        result = command("report", name)
        assert result.exit_code == 2
        assert told in result.stderr
    result = command("report", folder)
    assert result.exit_code == 2
    assert "is not a run folder" in result.stderr


def test_the_commands_of_the_page_run(command: Command, folder: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "report.md").read_text(encoding="utf-8")
    lines = "".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)).splitlines()
    assert len(lines) == 5
    for line in lines:
        result = command(*line.split()[1:])
        assert result.exit_code == 0, result.stderr
    assert (folder / "first.html").is_file()
    assert (folder / "logs" / "first" / "train").is_dir()
