"""Compiled programs on disk, so that the next process need not compile them again.

An entry holds machine code that will be run. What protects it is the folder: it must be a real
folder, ours, writable by nobody else; entries must be regular files of ours. The digest finds
damage, not malice. Whoever can write to the folder can run code as this user.

An entry is one file, named by the digest of its key:

    magic (8 bytes) · version u32 · header length u32 · header (JSON) · key · objects · SHA-256

The header gives the lengths and the meta data; the key is kept in full and compared.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import struct
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from .. import config

__all__ = ["Cache", "Entry", "default_cache"]

MAGIC = b"CHAINRUL"
VERSION = 2
ENTRY_BYTES = 256 * 2**20
TOTAL_BYTES = 512 * 2**20
_HEAD = struct.Struct("<8sII")
_DIGEST_BYTES = 32
_STALE_SECONDS = 3600
_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
_SUPPORTED = hasattr(os, "O_NOFOLLOW") and os.open in os.supports_dir_fd

_warned: set[str] = set()


@dataclass(frozen=True)
class Entry:
    """What was put under a key."""

    meta: dict[str, Any]
    objects: tuple[bytes, ...]


class Cache:
    """A folder of entries; with ``folder`` None, or an unsafe one, nothing is found or kept."""

    def __init__(self, folder: Path | None, total_bytes: int = TOTAL_BYTES) -> None:
        self._folder = folder if _SUPPORTED else None
        self._total_bytes = total_bytes

    def get(self, key_material: str) -> Entry | None:
        """The entry put under ``key_material``, or None. A damaged entry is deleted."""
        name = _file_name(key_material)
        with self._open() as folder:
            if folder is None:
                return None
            content = _read_own(folder, name)
            if content is None:
                return None
            entry = _decode(content, key_material)
            if entry is None:
                _unlink(folder, name)
            else:
                with contextlib.suppress(OSError):
                    os.utime(name, dir_fd=folder, follow_symlinks=False)
            return entry

    def put(self, key_material: str, meta: dict[str, Any], objects: Sequence[bytes]) -> None:
        """Keep an entry; ``meta`` is made of JSON's types. A full or read-only disk is no error."""
        content = _encode(key_material, meta, objects)
        if len(content) > min(ENTRY_BYTES, self._total_bytes):
            return
        with self._open() as folder:
            if folder is not None:
                _write(folder, _file_name(key_material), content)
                _evict(folder, self._total_bytes)

    @contextlib.contextmanager
    def _open(self) -> Iterator[int | None]:
        """The folder as a descriptor, so that what was checked is what is used."""
        opened = None if self._folder is None else _open_folder(self._folder)
        try:
            yield opened
        finally:
            if opened is not None:
                os.close(opened)


def default_cache() -> Cache:
    """The cache that CHAINRULE_CACHE and CHAINRULE_CACHE_DIR ask for, read now."""
    return Cache(config.CACHE_DIR.read() if config.CACHE.read() else None)


def _open_folder(path: Path) -> int | None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _FLAGS)
    except OSError as error:
        _refuse(path, f"it cannot be opened as a folder ({error.strerror})")
        return None
    status = os.fstat(folder)
    if status.st_uid == os.geteuid() and not status.st_mode & 0o022:
        return folder
    os.close(folder)
    foreign = status.st_uid != os.geteuid()
    _refuse(path, "it belongs to another user" if foreign else "other users can write to it")
    return None


def _refuse(path: Path, reason: str) -> None:
    if str(path) in _warned:
        return
    _warned.add(str(path))
    warnings.warn(
        f"compiled programs are not cached in {path}: {reason}. "
        "Set CHAINRULE_CACHE_DIR to a folder of your own with mode 0700, or CHAINRULE_CACHE=0.",
        RuntimeWarning,
        stacklevel=2,
    )


def _file_name(key_material: str) -> str:
    return hashlib.sha256(key_material.encode()).hexdigest() + ".bin"


def _encode(key_material: str, meta: dict[str, Any], objects: Sequence[bytes]) -> bytes:
    key = key_material.encode()
    lengths = {"key_bytes": len(key), "object_bytes": [len(o) for o in objects]}
    header = json.dumps({**lengths, "meta": meta}, sort_keys=True, allow_nan=False).encode()
    body = _HEAD.pack(MAGIC, VERSION, len(header)) + header + key + b"".join(objects)
    return body + hashlib.sha256(body).digest()


def _decode(content: bytes, key_material: str) -> Entry | None:
    """The entry in a file's content; None if it is damaged, or another version's or key's."""
    body, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
    if len(body) < _HEAD.size or hashlib.sha256(body).digest() != digest:
        return None
    magic, version, header_bytes = _HEAD.unpack_from(body)
    if magic != MAGIC or version != VERSION:
        return None
    start = _HEAD.size + header_bytes
    try:
        header = json.loads(body[_HEAD.size : start])
        middle = start + header["key_bytes"]
        ends = list(accumulate(map(int, header["object_bytes"]), initial=middle))
        meta = dict(header["meta"])
    except (ValueError, KeyError, TypeError):
        return None
    if ends[-1] != len(body) or ends != sorted(ends) or body[start:middle] != key_material.encode():
        return None
    return Entry(meta, tuple(body[a:b] for a, b in pairwise(ends)))


def _read_own(folder: int, name: str) -> bytes | None:
    """The content of a file of ours, None if there is none; what else has that name is removed."""
    try:
        # Without blocking: a FIFO in the place of an entry must not stop us.
        file = os.open(name, os.O_RDONLY | os.O_NONBLOCK | _FLAGS, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError:
        _unlink(folder, name)
        return None
    status = os.fstat(file)
    regular = stat.S_ISREG(status.st_mode) and not status.st_mode & 0o022
    if regular and status.st_uid == os.geteuid() and status.st_size <= ENTRY_BYTES:
        with open(file, "rb") as stream, contextlib.suppress(OSError):
            return stream.read()
    else:
        os.close(file)  # Python opens no folder as a file
    _unlink(folder, name)
    return None


def _write(folder: int, name: str, content: bytes) -> None:
    temporary = f"{os.urandom(16).hex()}.tmp"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS
        with open(os.open(temporary, flags, 0o600, dir_fd=folder), "wb") as stream:
            # Not flushed to the disk, which may take long: the digest finds what a crash cut short.
            stream.write(content)
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        _unlink(folder, temporary)


def _unlink(folder: int, name: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(name, dir_fd=folder)


def _evict(folder: int, total_bytes: int) -> None:
    """Delete the entries used longest ago until the rest fits; and what broken writers left."""
    entries: list[tuple[float, int, str]] = []
    for name in os.listdir(folder):
        try:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError:
            continue
        if name.endswith(".tmp") and status.st_mtime < time.time() - _STALE_SECONDS:
            _unlink(folder, name)
        elif name.endswith(".bin"):
            entries.append((status.st_mtime, status.st_size, name))
    excess = sum(size for _, size, _ in entries) - total_bytes
    for _, size, name in sorted(entries):
        if excess <= 0:
            break
        _unlink(folder, name)
        excess -= size
