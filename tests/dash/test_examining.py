"""The doctor, asked in a process of its own: here a small one that answers for it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chainrule.dash import examining as module
from chainrule.dash.examining import Examiner

DEADLINE = 30.0


@pytest.fixture
def answering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``answering("exit 3")``: from then on, that is what the doctor does."""

    def answer(script: str) -> None:
        program = tmp_path / "doctor"
        program.write_text(f"#!/bin/sh\necho asked >> {tmp_path}/asked\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setattr(module, "sys", SimpleNamespace(executable=str(program)))

    return answer


def asked(tmp_path: Path) -> int:
    file = tmp_path / "asked"
    return len(file.read_text().splitlines()) if file.exists() else 0


async def answer_of(examiner: Examiner, run: Path, running: bool = False) -> dict[str, Any]:
    end = time.monotonic() + DEADLINE
    while (answer := await examiner.ask(run, running))["state"] == "working":
        assert time.monotonic() < end, "no answer"
        await asyncio.sleep(0.01)
    return answer


FOUND = """echo '{"diagnoses": [{"code": "T101"}], "missing": ["data"], "looked_at": {}}'"""


def test_a_run_is_examined_once_until_its_files_change(
    runs: Path, tmp_path: Path, answering: Any
) -> None:
    answering(FOUND)
    run = runs / "table"

    async def main() -> None:
        examiner = Examiner()
        answer = await answer_of(examiner, run)
        assert answer == {"state": "done", "diagnoses": [{"code": "T101"}], "missing": ["data"]}
        assert await examiner.ask(run, False) == answer
        assert asked(tmp_path) == 1
        with (run / "metrics.jsonl").open("a") as out:
            out.write("{}\n")
        # One that goes on is not asked about again at once; and the older answer stays meanwhile.
        assert await examiner.ask(run, True) == answer
        assert await examiner.ask(run, False) == answer | {"state": "working"}
        await answer_of(examiner, run)
        assert asked(tmp_path) == 2
        await examiner.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("script", "why"),
    [("echo error: no data >&2; exit 2", "error: no data"), ("exit 3", "the doctor said nothing"),
     ("exec sleep 60", "took too long")],
)  # fmt: skip
def test_a_doctor_that_cannot_say_anything_is_said(
    script: str, why: str, runs: Path, answering: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(script)
    monkeypatch.setattr(module, "LONGEST", 0.3 if "sleep" in script else DEADLINE)
    answer = asyncio.run(answer_of(Examiner(), runs / "table"))
    assert (answer["state"], why in answer["why"]) == ("failed", True), answer


def test_a_long_run_is_left_to_the_terminal(
    runs: Path, tmp_path: Path, answering: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(FOUND)
    monkeypatch.setattr(module, "LARGEST", 10)
    answer = asyncio.run(answer_of(Examiner(), runs / "table"))
    assert "chainrule doctor" in answer["why"]
    assert asked(tmp_path) == 0


def test_no_process_to_ask(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "sys", SimpleNamespace(executable="/nowhere/python"))
    answer = asyncio.run(answer_of(Examiner(), runs / "table"))
    assert "cannot be asked" in answer["why"]
