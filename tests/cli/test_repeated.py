"""The same command in two processes writes the same files, for each kind of data and each task.

The processes have other hash seeds and another number of threads, so an order that depends on
either shows, be it ours or that of a library.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from distributed.folders import contents
from launched import DEADLINE, command, environment

SPOKEN = ("model.width=8", "model.depth=1", "features.bands=8", "train.lr=0.01")


def reviews(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    words = ("fine", "superb", "awful", "dull")
    subjects = ("the film", "this plot", "its music", "an actor")
    rows = ["review\tlabel"]
    for _ in range(90):
        kind, (a, b) = int(rng.integers(4)), rng.choice(subjects, 2, replace=False)
        rows.append(f"{a} is {words[kind]} and {b} is there\t{'pos' if kind < 2 else 'neg'}")
    return written(folder / "reviews.tsv", rows)


def pairs(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    words = {"rot": "red", "blau": "blue", "haus": "house", "hund": "dog", "steht": "stands"}
    rows = ["de\ten"]
    for _ in range(120):
        chosen, number = rng.choice(list(words), 3), int(rng.integers(100))
        rows.append(f"{' '.join(chosen)} {number}\t{number} {' '.join(words[w] for w in chosen)}")
    return written(folder / "pairs.tsv", rows)


def recordings(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    rows = ["file,text"]
    for i in range(60):
        letters = "".join(rng.choice(list("abc"), int(rng.integers(2, 5))))
        time = np.arange(1200) / 8000
        tones = [np.sin(2 * np.pi * 500 * ("abc".index(c) + 1) * time) for c in letters]
        soundfile.write(folder / f"{i}.wav", 0.3 * np.concatenate(tones), 8000)
        rows.append(f"{i}.wav,{letters}")
    return written(folder / "recordings.csv", rows)


def written(path: Path, rows: list[str]) -> Path:
    path.write_text("\n".join(rows) + "\n")
    return path


CASES: dict[str, tuple[str | Callable[[Path], Path], tuple[str, ...]]] = {
    "tables": ("heart", ("train.epochs=2",)),
    "images": ("fashion", ("model.name=cnn", "model.widths=[4]", "train.epochs=1")),
    "sounds": ("digits-spoken", (*SPOKEN, "train.epochs=1")),
    "transcription": (recordings, (
        "--task=transcription", "model.name=gru", "model.hidden=8", "model.layers=1",
        "features.bands=8", "train.epochs=2",
    )),
    "series": ("macrodata", ("--horizon=4", "model.width=4", "train.epochs=2")),
    "classes of texts": (reviews, (
        "--text=review", "--target=label", "model.name=bag", "train.epochs=2",
    )),
    "language": ("austen", (
        "model.width=16", "model.layers=1", "model.heads=2", "tokenizer.length=16",
        "data.windows=320", "train.epochs=1",
    )),
    "translation": (pairs, (
        "--task=translation", "--source=de", "--target=en", "model.width=8", "model.heads=2",
        "model.layers=1", "train.epochs=2",
    )),
}  # fmt: skip


def trained(words: list[str], seed: int, runs: Path) -> dict[str, Any]:
    """What the run folder holds of ``words``, in a process with such a hash ``seed``."""
    own = {"PYTHONHASHSEED": str(seed), "CHAINRULE_NUM_THREADS": str(seed)}
    done = subprocess.run(
        [*words, "--runs-dir", str(runs)], capture_output=True, text=True, timeout=DEADLINE,
        env=environment() | own, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return contents(runs)


@pytest.mark.parametrize("case", CASES)
def test_the_same_command_writes_the_same_files(case: str, tmp_path: Path) -> None:
    source, options = CASES[case]
    data = source if isinstance(source, str) else source(tmp_path)
    words = command("train", data, "-q", *options)
    first, second = (trained(words, seed, tmp_path / f"runs{seed}") for seed in (1, 2))
    for name, content in first.items():
        assert second[name] == content, name
