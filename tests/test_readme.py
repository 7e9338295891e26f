"""The README's programs and commands run as they stand; the example page shows real output."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def run(arguments: list[str], folder: Path, program: str = "") -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        input=program,
        capture_output=True,
        text=True,
        timeout=500,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "CHAINRULE_COMPARE": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("number", range(len(blocks(README, "python"))))
def test_programs_run(number: int, tmp_path: Path) -> None:
    done = run(["-"], tmp_path, blocks(README, "python")[number])
    printed = re.match(r"(\d\.\d+) -> (\d\.\d+)", done.stdout)
    if printed:
        assert float(printed[2]) < 0.2 < float(printed[1])


def test_commands_run_and_print_what_is_shown(tmp_path: Path) -> None:
    """Every line of a shell block that starts with `chainrule`."""
    talk = ""
    commands = [
        line
        for b in blocks(README, "sh")
        for line in b.splitlines()
        if line.startswith("chainrule")
    ]
    assert len(commands) >= 2
    for command in commands:
        talk += run(["-m", *command.split()], tmp_path).stderr
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 919
    [shown] = blocks(README, "text")
    for line in shown.splitlines():
        assert line == "..." or line in talk


def test_the_neuron_page_shows_what_the_example_prints(tmp_path: Path) -> None:
    done = run([str(ROOT / "examples" / "one_neuron.py")], tmp_path)
    page = (ROOT / "docs" / "one-neuron.md").read_text(encoding="utf-8")
    assert "\n".join(blocks(page, "text")).strip() == done.stdout.strip()


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert "://" in target or (ROOT / target).exists(), target


def test_the_benchmark_has_its_place() -> None:
    region = re.search(r"<!-- benchmark: .*?-->(.*)<!-- end of benchmark -->", README, re.DOTALL)
    assert region
