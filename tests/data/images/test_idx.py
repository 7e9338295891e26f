"""IDX files: what is written comes back, and what lies about itself is refused."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from chainrule.data.images import is_idx, is_image_source, read_idx, read_images
from chainrule.errors import DataError


def idx(array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    return (
        bytes([0, 0, 8, array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + (array.tobytes())
    )


NUMBERS = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


@pytest.mark.parametrize("packed", [False, True])
def test_round_trip(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "a-images-idx3-ubyte"
    path.write_bytes(gzip.compress(idx(NUMBERS)) if packed else idx(NUMBERS))
    assert is_idx(path)
    np.testing.assert_array_equal(read_idx(path), NUMBERS)


def test_labels_are_found_beside_the_images(tmp_path: Path) -> None:
    (tmp_path / "t-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(NUMBERS)))
    (tmp_path / "t-labels-idx1-ubyte").write_bytes(idx(np.array([7, 3], np.uint8)))
    found = read_images(tmp_path / "t-images-idx3-ubyte.gz")
    assert found.classes == ("3", "7")
    assert found.labels.tolist() == [1, 0]
    assert found.name == "t-images-idx3-ubyte"
    named = read_images(tmp_path / "t-images-idx3-ubyte.gz", classes=[*"abcdefgh"])
    assert [named.classes[k] for k in named.labels] == ["h", "d"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an IDX file"),
        (b"\x00\x00\x0d\x01\x00\x00\x00\x01\x00", "not an IDX file"),
        (b"\x00\x00\x08\x03\x00\x00", "ends before"),
        (idx(NUMBERS)[:-1], "but it has 39"),
        (idx(NUMBERS) + b"x", "but it has 41"),
        (b"\x00\x00\x08\x03" + b"\xff" * 12, "4294967295 x 4294967295"),
        (gzip.compress(idx(NUMBERS), mtime=0)[:-12], "ends before"),
        (gzip.compress(idx(NUMBERS) + b"x", mtime=0), "continues after"),
        (gzip.compress(b"\x00\x00\x08\x03" + b"\xff" * 12, mtime=0), "gzipped ones"),
    ],
)
def test_files_that_lie(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.idx"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_idx(path)


def test_the_file_of_labels_is_no_file_of_images(tmp_path: Path) -> None:
    path = tmp_path / "t-labels-idx1-ubyte"
    path.write_bytes(idx(np.zeros(4, np.uint8)))
    with pytest.raises(DataError, match="1 axes"):
        read_images(path)


def test_sources(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("a,b\n1,2\n")
    assert [is_image_source(s) for s in (tmp_path, "fashion", "a.png")] == [0.4, 1.0, 1.0]
    assert [is_image_source(s) for s in (tmp_path / "data.csv", "heart", None, 3)] == [False] * 4


def test_the_bundled_images() -> None:
    found = read_images("fashion")
    assert found.pixels.shape == (3000, 28, 28, 1)
    assert np.bincount(found.labels).tolist() == [300] * 10
    assert found.classes[:2] == ("T-shirt/top", "Trouser")
    assert found.copies() == 0
    # An ankle boot and a T-shirt: the first two of the original.
    assert [found.classes[k] for k in found.labels[:2]] == ["Ankle boot", "T-shirt/top"]
