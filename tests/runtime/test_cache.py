"""What is put is found again; what is damaged, foreign or unsafe is not."""

from __future__ import annotations

import os
import resource
import time
import warnings
from pathlib import Path

import pytest

from chainrule.runtime import cache as cache_module
from chainrule.runtime.cache import Cache, default_cache

KEY = "graph of a step\nübersetzt für cascadelake"
META = {"slots": [{"name": "x", "shape": [2, 3]}], "arena_bytes": 64, "entry": "run"}
CODE = (bytes(range(256)) * 4, b"", bytes(range(256)))


@pytest.fixture(autouse=True)
def warn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "_warned", set())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "cache"


@pytest.fixture
def filled(folder: Path) -> Path:
    """The file of the one entry in `folder`."""
    Cache(folder).put(KEY, META, CODE)
    (entry,) = folder.iterdir()
    return entry


def test_what_is_put_is_found(folder: Path, filled: Path) -> None:
    found = Cache(folder).get(KEY)
    assert found is not None
    assert (found.meta, found.objects) == (META, CODE)
    assert Cache(folder).get(KEY + " ") is None
    assert folder.stat().st_mode & 0o777 == 0o700
    assert filled.stat().st_mode & 0o777 == 0o600
    assert [p.suffix for p in folder.iterdir()] == [".bin"]


def test_putting_again_replaces(folder: Path, filled: Path) -> None:
    Cache(folder).put(KEY, {}, (b"other",))
    found = Cache(folder).get(KEY)
    assert found is not None
    assert (found.meta, found.objects) == ({}, (b"other",))


def test_every_flipped_byte_is_found_and_the_entry_deleted(folder: Path, filled: Path) -> None:
    content = filled.read_bytes()
    for position in [*range(0, 40), *range(40, len(content), 97), len(content) - 1]:
        damaged = bytearray(content)
        damaged[position] ^= 1 << (position % 8)
        filled.write_bytes(damaged)
        filled.chmod(0o600)
        assert Cache(folder).get(KEY) is None, position
        assert not filled.exists(), position


def test_every_truncation_is_found(folder: Path, filled: Path) -> None:
    content = filled.read_bytes()
    for length in [*range(0, 60), *range(60, len(content), 101), len(content) - 1]:
        filled.write_bytes(content[:length])
        assert Cache(folder).get(KEY) is None, length
        assert not filled.exists(), length


def test_an_entry_under_another_key_is_refused(folder: Path, filled: Path) -> None:
    Cache(folder).put("other key", {}, (b"other",))
    (other,) = set(folder.iterdir()) - {filled}
    os.replace(other, filled)
    assert Cache(folder).get(KEY) is None


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_may_write_to_is_not_used(
    folder: Path, filled: Path, mode: int
) -> None:
    folder.chmod(mode)
    with pytest.warns(RuntimeWarning, match="other users can write to it"):
        assert Cache(folder).get(KEY) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # once is enough
        Cache(folder).put("second", {}, (b"code",))
    assert list(folder.iterdir()) == [filled]


def test_a_symbolic_link_is_not_used(folder: Path, filled: Path) -> None:
    alias = folder.parent / "alias"
    alias.symlink_to(folder)
    with pytest.warns(RuntimeWarning, match="cannot be opened as a folder"):
        assert Cache(alias).get(KEY) is None
    assert Cache(folder).get(KEY) is not None


def test_a_folder_of_another_user_is_not_used(
    folder: Path, filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: filled.stat().st_uid + 1)
    with pytest.warns(RuntimeWarning, match="belongs to another user"):
        assert Cache(folder).get(KEY) is None


def test_a_file_in_the_place_of_the_folder_is_no_error(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("not a folder")
    with pytest.warns(RuntimeWarning, match="cannot be opened as a folder"):
        Cache(place).put(KEY, META, CODE)


def test_entries_that_are_links_or_writable_by_others_are_removed(
    folder: Path, filled: Path, tmp_path: Path
) -> None:
    real = tmp_path / "real.bin"
    os.replace(filled, real)
    filled.symlink_to(real)
    assert Cache(folder).get(KEY) is None
    assert not filled.is_symlink()
    assert real.exists()
    os.replace(real, filled)
    filled.chmod(0o666)
    assert Cache(folder).get(KEY) is None
    assert not filled.exists()
    os.mkfifo(filled, 0o600)
    assert Cache(folder).get(KEY) is None
    assert not filled.exists()


def test_the_least_recently_used_go_first(folder: Path) -> None:
    small = Cache(folder, total_bytes=5000)
    for number in range(4):
        small.put(f"key {number}", {}, (bytes(1000),))
    before = time.time() - 100
    for age, number in enumerate((2, 0, 3, 1)):
        path = folder / cache_module._file_name(f"key {number}")
        os.utime(path, (before + age, before + age))
    assert small.get("key 2") is not None  # used now: the oldest is 0
    small.put("key 4", {}, (bytes(1000),))
    kept = [n for n in range(5) if Cache(folder).get(f"key {n}") is not None]
    assert kept == [1, 2, 3, 4]
    small.put("huge", {}, (bytes(6000),))
    assert Cache(folder).get("huge") is None
    assert Cache(folder).get("key 4") is not None


def test_what_broken_writers_left_is_removed(folder: Path, filled: Path) -> None:
    old, young = folder / "old.tmp", folder / "young.tmp"
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (1, 1))
    Cache(folder).put("second", {}, (b"code",))
    assert not old.exists()
    assert young.exists()


def test_the_environment_decides(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    default_cache().put(KEY, META, CODE)
    assert len(list(own_cache.iterdir())) == 1
    monkeypatch.setenv("CHAINRULE_CACHE", "0")
    assert default_cache().get(KEY) is None
    monkeypatch.setenv("CHAINRULE_CACHE", "1")
    assert default_cache().get(KEY) is not None


def test_a_full_disk_is_no_error(folder: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        Cache(folder).put(KEY, META, CODE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(folder.iterdir()) == []


def test_a_folder_in_the_place_of_an_entry_is_passed_over(folder: Path, filled: Path) -> None:
    filled.unlink()
    filled.mkdir()
    opened = len(os.listdir("/proc/self/fd"))
    assert Cache(folder).get(KEY) is None
    Cache(folder).put(KEY, META, CODE)
    assert len(os.listdir("/proc/self/fd")) == opened
