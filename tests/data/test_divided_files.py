"""Folders of files of which each process reads some: what is found and measured has the bits of one
process, and a process holds its share."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from chainrule.data.audio import Recordings, read_audio
from chainrule.data.gathering import ALONE, Gathering
from chainrule.data.images import Images, Room, read_images
from chainrule.errors import DataError
from meeting import errors_of, meet

EACH = 14
#: none for every process but the first, in one of them
SOME = np.array([0, 2, 3, 11, 17, 20])


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few files are many, and come in several pieces."""
    monkeypatch.setattr("chainrule.data.gathering.DIVIDED_BYTES", 1)
    monkeypatch.setattr("chainrule.data.gathering.WINDOW", 500)


def paint(folder: Path) -> Path:
    """Pictures of two sizes, some grey, some equal, one whose head is broken and one whose body
    is."""
    rng = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        (folder / name).mkdir(parents=True)
        for i in range(EACH):
            pixels = rng.integers(0, 256, (9 + i % 2, 8, 3), np.uint8)
            image = Image.fromarray(pixels)
            (image.convert("L") if i == 4 else image).save(folder / name / f"{i:02}.png")
    (folder / "b" / "03.png").write_bytes((folder / "a" / "03.png").read_bytes())
    (folder / "a" / "07.png").write_bytes(b"no picture")
    whole = (folder / "c" / "05.png").read_bytes()
    (folder / "c" / "05.png").write_bytes(whole[: len(whole) // 2])
    return folder


def record(folder: Path) -> Path:
    """Sounds of three lengths and two rates, some silent, one of two channels, one broken."""
    rng = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        (folder / name).mkdir(parents=True)
        for i in range(EACH):
            sound = rng.integers(-9000, 9000, (100 + 40 * (i % 3), 1 + (i == 6))).astype(np.int16)
            rate = 8000 if i % 5 else 16000
            soundfile.write(folder / name / f"{i:02}.wav", sound * (i != 9), rate)
    (folder / "b" / "03.wav").write_bytes((folder / "a" / "03.wav").read_bytes())
    (folder / "c" / "02.wav").write_bytes(b"no sound")
    return folder


def images(folder: Path, gathering: Gathering, room: Room) -> Images:
    return read_images(folder, room=room, gathering=gathering)


def sounds(folder: Path, gathering: Gathering, room: Room) -> Recordings:
    return read_audio(folder, gathering=gathering)


def facts(examples: Any) -> dict[str, Any]:
    """All that is the same for every process."""
    told: dict[str, Any] = {
        "classes": examples.classes, "labels": examples.labels.tolist(), "paths": examples.paths,
        "findings": examples.findings, "more": examples.class_findings(), "bytes": examples.nbytes,
        "digests": examples.digests(), "fingerprint": examples.fingerprint(),
    }  # fmt: skip
    if isinstance(examples, Images):
        return told | {"moments": examples.moments(), "pixels": examples.whole().pixels.tolist()}
    whole = examples.whole()
    return told | {
        "lengths": examples.lengths.tolist(), "silent": examples.silent(),
        "clipped": examples.clipped(), "seconds": examples.seconds,
        "samples": whole.samples.tolist(), "clips": whole.fixed(120).tolist(),
    }  # fmt: skip


CASES = pytest.mark.parametrize(("make", "read"), [(paint, images), (record, sounds)])


@CASES
@pytest.mark.parametrize("size", [2, 3, 5])
@pytest.mark.parametrize("limit", [1 << 30, 0])
def test_divided_files_have_the_bits_of_one_process(
    make: Callable[[Path], Path], read: Any, size: int, limit: int, tmp_path: Path
) -> None:
    folder, room = make(tmp_path / "files"), Room(tmp_path, limit)
    alone = read(folder, ALONE, room)
    expected = facts(alone), facts(alone.take(SOME))
    assert alone.share is None
    assert any("unreadable" in finding.message for finding in alone.findings)
    assert alone.copies()

    def shared(peer: Any) -> Any:
        mine = read(folder, Gathering(peer), room)
        own = mine.own_fingerprint() if mine.share is None else None
        return (facts(mine), facts(mine.take(SOME))), mine.here, own

    with warnings.catch_warnings():
        every = meet(size, shared)
    for found, _, own in every:
        assert found == expected
        assert own is None
    places = [here for _, here, _ in every]
    assert [i for here in places for i in range(here.start, here.stop)] == list(range(len(alone)))
    assert max(here.stop - here.start for here in places) <= len(alone) // size + 2


@CASES
def test_what_is_small_is_read_by_all(
    make: Callable[[Path], Path], read: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the fingerprint of old; also if it is only known to be small once it is read."""
    folder = make(tmp_path / "files")
    monkeypatch.setattr("chainrule.data.gathering.DIVIDED_BYTES", 1 << 20)
    alone = read(folder, ALONE, Room())
    assert alone.fingerprint() == alone.own_fingerprint()
    expected = facts(alone)
    for most in (alone.nbytes + 1, 1 << 20):
        monkeypatch.setattr("chainrule.data.gathering.DIVIDED_BYTES", most)
        with warnings.catch_warnings():
            every = meet(3, lambda peer: read(folder, Gathering(peer), Room()))
        for mine in every:
            assert mine.share is None
            assert facts(mine) == expected


@CASES
def test_too_many_bad_files_of_one_process_are_the_error_of_all(
    make: Callable[[Path], Path], read: Any, tmp_path: Path
) -> None:
    folder = make(tmp_path / "files")
    for file in sorted((folder / "c").iterdir()):
        file.write_bytes(b"nothing")
    with pytest.raises(DataError) as error:
        read(folder, ALONE, Room())
    with warnings.catch_warnings():
        told = errors_of(3, lambda peer: read(folder, Gathering(peer), Room()))
    assert told == [f"DataError: {error.value}"] * 3
