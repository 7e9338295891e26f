"""Weight files: what is written comes back, and nothing else is let in."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.errors import ConfigError, StateError
from chainrule.train.checkpoints.weights_file import load, packed, save, unpacked

WEIGHTS = {
    "0.weight": np.arange(6, dtype=np.float32).reshape(3, 2).T,  # stored transposed
    "0.bias": np.array([1.5, -2.5], np.float32),
    "1.num_batches_tracked": np.array(7, np.int64),
}


def test_round_trip(tmp_path: Path) -> None:
    save(WEIGHTS, tmp_path / "m.safetensors")
    back = load(tmp_path / "m.safetensors")
    assert set(back) == set(WEIGHTS)
    for name, array in WEIGHTS.items():
        assert back[name].dtype == array.dtype
        np.testing.assert_array_equal(back[name], array)
        assert back[name].shape == array.shape


def test_header_says_pytorch_layout(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save(WEIGHTS, path)
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    assert header["__metadata__"] == {"format": "pt"}
    assert header["0.weight"]["shape"] == [2, 3]


def test_shared_arrays_have_the_same_bytes_each_time() -> None:
    """However many names there are: the library's order of notes is another one each time."""
    array, own = np.arange(6, dtype=np.float32), np.ones(1, np.float32)
    names = ["first", *(f'tied {i} \u00e9 "{chr(10)}' for i in range(5))]
    written = {packed({**dict.fromkeys(names, array), "own": own}) for _ in range(20)}
    assert len(written) == 1
    (content,) = written
    arrays = unpacked(content)
    assert arrays.keys() == {"first", "own"}
    assert (arrays["first"] == array).all()
    assert (arrays["own"] == own).all()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert header["__metadata__"] == {"format": "pt", **dict.fromkeys(names[1:], "first")}


def test_only_the_new_file_is_left(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save({"a": np.zeros(2, np.float32)}, path)
    save({"a": np.ones(2, np.float32)}, path)
    assert os.listdir(tmp_path) == ["m.safetensors"]
    assert load(path)["a"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize("cut", [0, 4, 40, -1])
def test_truncated(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "m.safetensors"
    save(WEIGHTS, path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(StateError, match="not a complete safetensors file"):
        load(path)


def test_longer_than_its_header_says(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save(WEIGHTS, path)
    path.write_bytes(path.read_bytes() + b"tail")
    with pytest.raises(StateError):
        load(path)


@pytest.mark.parametrize("content", [b"PK\x03\x04rest of a zip", b"\x80\x04pickled"])
def test_pickles_are_named_and_not_opened(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.pt"
    path.write_bytes(content)
    with pytest.raises(StateError, match="pickle or zip") as raised:
        load(path)
    assert "safetensors.torch.save_file" in raised.value.help


def test_missing_file_and_unwritable_place(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="file not found"):
        load(tmp_path / "none.safetensors")
    with pytest.raises(StateError, match="cannot write"):
        save(WEIGHTS, tmp_path / "no" / "folder.safetensors")
    assert os.listdir(tmp_path) == []


def written(shape: list[int]) -> bytes:
    """A file with one array of float32 of which it has as many bytes as its shape says."""
    size = 4 * int(np.prod([n for n in shape if n < 2**20])) * (0 not in shape)
    header = {"a": {"dtype": "F32", "shape": shape, "data_offsets": [0, size]}}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(size)


@pytest.mark.parametrize("shape", [[2**62, 0], [1] * 100])
def test_shapes_that_numpy_cannot_have(tmp_path: Path, shape: list[int]) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(written(shape))
    with pytest.raises(StateError, match="an array that NumPy cannot represent"):
        load(path)


@pytest.mark.parametrize("name", [3, "__metadata__"])
def test_names_that_the_format_does_not_have(tmp_path: Path, name: Any) -> None:
    with pytest.raises(ConfigError, match="cannot be the name of an array"):
        save({name: np.ones(1)}, tmp_path / "m.safetensors")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("path", ["", "."])
def test_paths_without_a_name(path: str) -> None:
    with pytest.raises(ConfigError, match="the file for weights is"):
        save(WEIGHTS, path)
