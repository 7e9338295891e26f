"""Folders of pictures and sounds of which each worker of a command reads its share, and of texts of
which each encodes its share: the run folder is that of one process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from chainrule.distributed.launching import find_mpiexec
from launched import run

from .folders import contents

GPT = ("model.width=8", "model.layers=1", "model.heads=1")
#: a few files are many; each process says what it has read
TOLD = """
import sys
import chainrule.data.files as files
import chainrule.data.gathering as gathering
import chainrule.data.text.pieces as pieces
from chainrule.cli.app import main

gathering.DIVIDED_BYTES = 1
pieces.PIECE = 50
share = files.Files.share

def told(*arguments):
    own = share(*arguments)
    print("a share" if own else "the whole", file=sys.stderr, flush=True)
    return own

files.Files.share = told
main()
"""


def paint(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    for label, name in enumerate(("dark", "light")):
        (folder / name).mkdir(parents=True)
        for i in range(60):
            pixels = rng.integers(90 * label, 150 + 90 * label, (8, 8), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i:02}.png")
    (folder / "light" / "59.png").write_bytes(b"no picture")
    return folder


def record(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    for label, name in enumerate(("high", "low")):
        (folder / name).mkdir(parents=True)
        for i in range(60):
            time = np.arange(1600 + 160 * (i % 3)) / 8000
            tone = np.sin(2 * np.pi * (900 - 600 * label) * time + rng.uniform(0, 6))
            noise = rng.normal(scale=0.1, size=len(time))
            soundfile.write(folder / name / f"{i:02}.wav", 0.3 * tone + noise, 8000)
    return folder


def write(folder: Path) -> Path:
    folder.mkdir()
    for i in range(9):
        letters = "".join("abcab "[(k * k + i) % 6] for k in range(150 + 9 * i))
        (folder / f"{i}.txt").write_text(letters)
    return folder


def told(workers: int, divided: bool, *words: object) -> None:
    """A command that so many workers run; of files that are ``divided``, each reads a share."""
    start = [find_mpiexec(), "-n", str(workers)] if workers > 1 else []
    done = run([*start, sys.executable, "-c", TOLD, *map(str, words), "-q"])
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("a share") == (workers if workers > 1 and divided else 0)


@pytest.mark.parametrize(
    ("make", "divided", "words"),
    [
        (paint, True, ("model.name=cnn", "model.widths=[4]", "augment.flip=true")),
        (record, True, ("model.width=8", "model.depth=1", "features.bands=8")),
        (write, False, ("--task=language", "model.name=gpt", *GPT, "tokenizer.length=8")),
    ],
)
def test_a_run_of_files_that_workers_read_is_that_of_one_process(
    make: Callable[[Path], Path], divided: bool, words: tuple[str, ...], tmp_path: Path
) -> None:
    """Also if workers of another number go on. Texts are read by all, and encoded in shares."""
    folder = make(tmp_path / "files")
    words = (
        "train", folder, *words, "train.batch_size=32", "train.parts=auto",
        "train.schedule.name=constant", "train.lr=0.003",
    )  # fmt: skip
    runs = {workers: tmp_path / f"runs{workers}" for workers in (1, 2, 3)}
    told(1, divided, *words, "--epochs", 2, "--runs-dir", runs[1])
    told(2, divided, *words, "--epochs", 2, "--runs-dir", runs[2])
    told(3, divided, *words, "--epochs", 1, "--runs-dir", runs[3])
    told(2, divided, "resume", next(runs[3].iterdir()), "--epochs", 2)
    expected = contents(runs[1])
    assert contents(runs[2]) == expected
    resumed = contents(runs[3])
    for name in ("weights", "preprocessor", "evaluation", "history", "metrics"):
        assert resumed[name] == expected[name], name
