"""Weights on disk: safetensors, written whole or not at all, and read strictly."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
import numpy.typing as npt

from ...arguments import path_of
from ...errors import ConfigError, StateError
from ...scratch import hold, remove_abandoned

__all__ = [
    "HasState",
    "flush_folder",
    "load",
    "packed",
    "remove_leftovers",
    "save",
    "unpacked",
    "write_whole",
]

#: how files are called while they are written
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}")

Arrays = dict[str, npt.NDArray[Any]]


class HasState(Protocol):
    """A model, or anything else with named arrays."""

    def state_dict(self) -> Mapping[str, Any]: ...


def save(model: HasState | Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Writes a model's ``state_dict`` (or a dict of arrays) to a safetensors file.

    Names and layouts are PyTorch's, and the file says ``{"format": "pt"}``, so that
    ``torch_model.load_state_dict(safetensors.torch.load_file(path))`` reads it. A parameter with
    two names is written once, and the other name noted as ``safetensors.torch.load_model`` expects
    it. An existing file is replaced only when the new one is complete. Raises StateError when it
    cannot be written.
    """
    if not isinstance(model, Mapping) and not callable(getattr(model, "state_dict", None)):
        raise ConfigError(
            f"{model!r} has no weights to save", help="pass a model, or a dict of arrays"
        )
    target = path_of(path, "the file for weights")
    if not target.name:
        raise ConfigError(f"the file for weights is {path!r}", help="pass the path of a file")
    state = model if isinstance(model, Mapping) else model.state_dict()
    for name in state:
        if not isinstance(name, str) or name == "__metadata__":
            raise ConfigError(
                f"{name!r} cannot be the name of an array",
                help="the names of arrays in weight files must be text",
            )
    write_whole(target, packed({name: _array(value) for name, value in state.items()}))


def packed(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """The bytes of a safetensors file."""
    # The format knows row-major only: a transposed view would be written in the wrong order.
    first: dict[int, str] = {}
    others = {name: first.setdefault(id(array), name) for name, array in arrays.items()}
    others = {name: of for name, of in others.items() if name != of}
    rows = {n: np.asarray(array, order="C") for n, array in arrays.items() if n not in others}
    library = _library()
    try:
        content: bytes = library.numpy.save(rows, metadata={"format": "pt", **others})
    except library.SafetensorError as error:
        raise ConfigError(
            f"only numbers can be saved: {error}", help="pass arrays of numbers"
        ) from None
    return _in_order(content) if others else content


def _in_order(content: bytes) -> bytes:
    """The same file, with its notes in the order of their names: the library writes them in one
    that changes from file to file."""
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[start:]


def _library() -> Any:
    """safetensors, imported when a file is touched: training itself does without it."""
    try:
        import safetensors.numpy
    except ImportError:
        raise ConfigError(
            "weight files need the safetensors package", help="pip install safetensors"
        ) from None
    return safetensors


def _array(value: Any) -> npt.NDArray[Any]:
    return np.asarray(value.numpy() if callable(getattr(value, "numpy", None)) else value)


def write_whole(path: Path, content: bytes) -> None:
    """Writes beside ``path``, flushes to disk, then renames: readers see the old or the new, and so
    does whoever comes after a power cut.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        try:
            _write_unnamed(content, temporary)
        except OSError:  # there are no such files here; other trouble will come again
            _write_named(content, temporary)
        os.replace(temporary, path)
        flush_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):  # the first error is the one to tell
            temporary.unlink(missing_ok=True)
        raise StateError(
            f"cannot write {path}: {error.strerror or error}",
            help="nothing was changed; check that the folder exists and is writable, "
            "and that the disk has space",
        ) from None


def _write_unnamed(content: bytes, path: Path) -> None:
    """Gives a file its name when all is in it: no process can leave half of one."""
    with open(os.open(path.parent, os.O_WRONLY | os.O_TMPFILE, 0o666), "wb") as file:
        hold(file.fileno())
        _fill(file, content)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            # With a folder, so that Python makes the system follow the link in /proc.
            os.link(f"/proc/self/fd/{file.fileno()}", path.name, dst_dir_fd=folder)
        finally:
            os.close(folder)


def _write_named(content: bytes, path: Path) -> None:
    with path.open("xb") as file:
        hold(file.fileno())
        _fill(file, content)


def _fill(file: IO[bytes], content: bytes) -> None:
    file.write(content)
    file.flush()
    os.fsync(file.fileno())


def remove_leftovers(folder: Path) -> None:
    """Removes what `write_whole` left half done in ``folder`` when its process was killed."""
    remove_abandoned(folder, _TEMPORARY)


def flush_folder(folder: Path) -> None:
    """Makes renamed and removed names of ``folder`` last."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def unpacked(content: bytes) -> Arrays:
    """The arrays of which `packed` made ``content``, each under one name."""
    arrays: Arrays = _library().numpy.load(content)
    return arrays


def load(path: str | os.PathLike[str]) -> Arrays:
    """The arrays of a safetensors file, by name: ``model.load_state_dict(cr.load(path))``.

    Raises StateError for a missing, truncated or foreign file. Nothing in the file is ever run.
    """
    source = path_of(path, "the file of weights")
    if not source.is_file():
        raise StateError(f"file not found: {source}", help="check the path")
    library = _library()
    try:
        with library.safe_open(source, framework="numpy") as file:
            # The file is no dict: it has keys, but cannot be iterated over.
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            noted = (file.metadata() or {}).items()
            others = {name: arrays[of] for name, of in noted if of in arrays}
            return others | arrays
    except library.SafetensorError as error:
        raise _unreadable(source, str(error)) from None
    except (TypeError, AttributeError) as error:
        raise _unreadable(
            source, f"it holds a dtype that NumPy does not support ({error})"
        ) from None
    except ValueError as error:
        raise _unreadable(
            source, f"it holds an array that NumPy cannot represent ({error})"
        ) from None


def _unreadable(path: Path, why: str) -> StateError:
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith((b"PK", b"\x80")):
        return StateError(
            f"{path} is a pickle or zip archive, not safetensors",
            help="such files can run code and are never opened; in PyTorch, save it with "
            "safetensors.torch.save_file(model.state_dict(), path)",
        )
    return StateError(
        f"{path} is not a complete safetensors file: {why}",
        help="it may be truncated, or not safetensors at all; copy or save it again",
    )
