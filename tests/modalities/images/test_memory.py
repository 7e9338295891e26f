"""Folders larger than the memory that they may take: the same bits, and bounded memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chainrule.errors import StateError
from chainrule.modalities.images.predictor import ImagePredictor
from modalities.images.conftest import train

#: pictures of each of two classes
EACH = 360
SOURCES = Path(__file__).parents[3] / "src"

#: trains on a folder; prints by how many MB that made the process grow. Nothing is observed: a slow
#: machine would compile another program for that
PROGRAM = """
import sys
from chainrule.modalities.images import fit_images

def status(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(key)) / 1024

with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # the peak counts from here
before = status("VmRSS")
fit_images(sys.argv[1], epochs=1, runs_dir=sys.argv[2], verbose=False, settings=[
    f"data.memory={sys.argv[3]}", "data.size=256", "model.widths=[2,2,2,2]",
    "train.batch_size=8", "output.report=false", "observe=off"])
print(status("VmHWM") - before)
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pixels of several times the memory by which two equal trainings differ."""
    place = tmp_path_factory.mktemp("large") / "photos"
    for k, name in enumerate(("bright", "dark")):
        (place / name).mkdir(parents=True)
        Image.new("RGB", (256, 256), (200 - 150 * k,) * 3).save(place / name / "0.png")
        for i in range(1, EACH):
            os.link(place / name / "0.png", place / name / f"{i}.png")
    return place


def growth(folder: Path, runs: Path, memory: int) -> float:
    """MB by which a training makes a new process grow that may hold ``memory`` MB of pixels.

    What a process has let go of it may use again, so each training has one of its own.
    """
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), str(runs), str(memory)],
        env={**os.environ, "PYTHONPATH": str(SOURCES), "CHAINRULE_VERIFY": "0"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not [p for p in runs.iterdir() if p.name.startswith(".")]  # no arrays are left
    return float(done.stdout)


def test_the_peak_of_memory(large: Path, tmp_path: Path) -> None:
    """A training that may not hold the pixels stays far below one that does."""
    growth(large, tmp_path, 16)  # compiles, which takes more than reading what was compiled
    pixels = 2 * EACH * 256 * 256 * 3 / 2**20
    assert (growth(large, tmp_path, 2048) - growth(large, tmp_path, 16)) / pixels > 0.5


def test_a_file_gives_the_bits_of_memory(shapes: Path, others: Path, tmp_path: Path) -> None:
    def trained(runs: Path | None, memory: int) -> ImagePredictor:
        words = [f"data.memory={memory}", "augment.shift=1"]
        return train(shapes, runs, size=48, epochs=2, settings=words, test=others)

    mapped, held = trained(tmp_path, 1), trained(None, 2048)
    assert "D312" in [f.code for f in mapped.findings]
    assert "D312" not in [f.code for f in held.findings]
    for name, value in held.model.state_dict().items():
        np.testing.assert_array_equal(mapped.model.state_dict()[name], value)
    assert mapped.history["loss"] == held.history["loss"]
    assert mapped.metrics == held.metrics
    # Predictions, too, read a file, in parts.
    np.testing.assert_array_equal(mapped.predict_proba(shapes), held.predict_proba(shapes))


def test_a_full_disk_is_told_before_the_work(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int, start: int, size: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(StateError, match="No space left on device"):
        train(shapes, tmp_path, size=48, epochs=1, settings=["data.memory=1"])
