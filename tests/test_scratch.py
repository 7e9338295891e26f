"""What is temporary has no name, or a holder; what nobody holds is removed, and nothing else."""

from __future__ import annotations

import gc
import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest

from chainrule.scratch import Held, array_in_file, remove_abandoned
from forks import in_child

ANY = re.compile(r"held-\d+")


def held(place: Path) -> Held:
    return Held(place, iter([f"held-{i}" for i in range(9)]).__next__)


def test_what_is_held_stays_and_what_was_held_goes(tmp_path: Path) -> None:
    mine = held(tmp_path)
    (mine.path / "deep").mkdir()
    (mine.path / "deep" / "file").write_text("content")
    assert in_child(lambda: remove_abandoned(tmp_path, ANY)) == 0
    assert (mine.path / "deep" / "file").exists()
    mine.close()
    assert not list(tmp_path.iterdir())


def test_a_killed_process_leaves_nothing_for_long(tmp_path: Path) -> None:
    def make_and_die() -> None:
        mine = held(tmp_path)
        (mine.path / "file").write_text("content")
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(make_and_die) == -signal.SIGKILL
    assert [p.name for p in tmp_path.iterdir()] == ["held-0"]
    other = held(tmp_path)  # it takes the next name: what is there belongs to somebody else
    assert other.path.name == "held-1"
    remove_abandoned(tmp_path, ANY)
    assert [p.name for p in tmp_path.iterdir()] == ["held-1"]


def test_a_child_removes_nothing_of_its_parent(tmp_path: Path) -> None:
    mine = held(tmp_path)
    assert in_child(mine.close) == 0
    assert mine.path.exists()


def test_a_forgotten_folder_goes_and_a_kept_one_stays(tmp_path: Path) -> None:
    kept = held(tmp_path)
    kept.keep_as(tmp_path / "kept")
    held(tmp_path)
    del kept
    gc.collect()
    remove_abandoned(tmp_path, re.compile(r"held-\d+"))
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]


def test_only_what_is_meant_is_removed(tmp_path: Path) -> None:
    place, outside = tmp_path / "place", tmp_path / "outside"
    for folder in (place, outside, place / "held-like", place / "held-5"):
        folder.mkdir()
    (outside / "file").write_text("content")
    (place / "held-6").symlink_to(outside)
    (place / "held-5" / "link").symlink_to(outside)
    (place / "held-7").write_text("a file")
    os.mkfifo(place / "held-8")
    remove_abandoned(place, ANY)
    assert sorted(p.name for p in place.iterdir()) == ["held-6", "held-8", "held-like"]
    assert (outside / "file").exists()
    remove_abandoned(tmp_path / "nowhere", ANY)


def test_a_place_that_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    with pytest.raises(NotADirectoryError):
        held(tmp_path / "file")


def test_an_array_in_a_file_has_no_name(tmp_path: Path) -> None:
    array = array_in_file((100, 3), np.float32, tmp_path / "new")
    array[:] = 7
    assert array.shape == (100, 3)
    assert array.sum() == 2100
    assert not list((tmp_path / "new").iterdir())


def test_a_full_disk_is_told_before_an_array_is_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int, start: int, size: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space"):
        array_in_file((100, 3), np.float32, tmp_path)
