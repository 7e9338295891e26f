"""Files that say what was done: reading them with bounds, and vouching for them.

Whatever Chainrule reads back from a folder of its own comes through here. Other programs, a failing
disk or somebody's editor may have been at it: what is no plain file, too large, too deep, holds
numbers that no float can have, or half a character, is a StateError that names the file.

A *sealed* object begins with the checksum of all the rest, byte for byte::

    {
      "checksum": "<SHA-256 of this text without this line>",
      "format": "chainrule.run",
      ...
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import stat
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from .errors import StateError

__all__ = ["Kind", "OtherVersionError", "Shape", "changed_files", "check_shape", "checksum_of",
           "file_bytes", "file_text", "mismatch", "parsed", "parsed_sealed", "parsed_toml",
           "read_sealed", "sealed", "sha256_of"]  # fmt: skip

LARGEST = 1 << 28  # bytes of a text file; a hundred thousand epochs take a tenth of it
DEEPEST = 60
#: the largest whole number is about the largest float
DIGITS = 308
AGAIN = "it was modified or truncated after it was written; copy it again"

_SEAL = re.compile(r'\{(\s*)"checksum": "([0-9a-f]{64})",')


class OtherVersionError(StateError):
    """A file that is whole, and not ours to read or remove."""


# ------------------------------------------------------------------------------------ files


def file_bytes(path: Path, largest: int | None = None) -> bytes:
    """The bytes of a plain file. OSError for anything else: a pipe would be waited for."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("it is not a regular file")
        if largest is not None and status.st_size > largest:
            raise OSError(f"it has {status.st_size} bytes; the limit is {largest}")
        return file.read()


def file_text(path: Path) -> str:
    """The text of a file. FileNotFoundError if there is none, else StateError if it has none."""
    try:
        return file_bytes(path, LARGEST).decode("utf-8")
    except FileNotFoundError:
        raise
    except OSError as error:
        damaged(path.name, str(path), error.strerror or str(error))
    except UnicodeDecodeError:
        damaged(path.name, str(path), "it is not UTF-8")


def sha256_of(path: Path) -> str:
    """``sha256:...`` of a file's bytes. OSError if it cannot be read."""
    return f"sha256:{checksum_of(file_bytes(path))}"


def changed_files(folder: Path, hashes: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """Those of ``names`` that have a hash, and are not what it says; files that are gone are left
    out."""
    changed = []
    for name in names:
        try:
            if name in hashes and sha256_of(folder / name) != hashes[name]:
                changed.append(name)
        except FileNotFoundError:
            continue
        except OSError:
            changed.append(name)
    return changed


def checksum_of(content: bytes) -> str:
    """The SHA-256, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def damaged(name: str, where: str, why: str) -> NoReturn:
    raise StateError(f"cannot read {name}: {why}", where=where, help=AGAIN)


# ------------------------------------------------------------------------------------- JSON


def parsed(text: str, name: str, where: str) -> Any:
    """JSON as data whose numbers are finite and whose depth is bounded; ``name`` is the file's.

    StateError otherwise, with ``where`` and, for what is no JSON, the line.
    """
    try:
        value = json.loads(
            text, parse_int=_whole, parse_float=_real, parse_constant=_refuse_constant
        )
    except json.JSONDecodeError as error:
        raise StateError(
            f"{name} is not JSON: {error.msg}", where=f"{where}:{error.lineno}", help=AGAIN
        ) from None
    except ValueError as error:
        damaged(name, where, str(error))
    except RecursionError:
        damaged(name, where, "its values are nested too deeply")
    _check_depth(value, name, where)
    if "\\u" in text:
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            damaged(name, where, "it contains half a character")
    return value


def _whole(text: str) -> int:
    if len(text) > DIGITS:
        raise ValueError(f"it contains a number of {len(text)} digits")
    return int(text)


def _real(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("it contains a number that is too large")
    return value


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number that can be used")


def _below_all(level: list[Any]) -> list[Any]:
    """What is in the lists and objects of one level."""
    return [v for outer in level if isinstance(outer, dict | list)
            for v in (outer.values() if isinstance(outer, dict) else outer)]  # fmt: skip


def _check_depth(value: Any, name: str, where: str) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = _below_all(level)
        if not level:
            return
    damaged(name, where, "its values are nested too deeply")


def parsed_toml(text: str) -> dict[str, Any]:
    """TOML as data whose depth and whole numbers are bounded. ValueError says what is wrong."""
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise ValueError("its values are nested too deeply") from None
    level: list[Any] = [document]
    for _ in range(DEEPEST):
        if not level:
            return document
        if any(isinstance(v, int) and abs(v) >= 10**DIGITS for v in level):
            raise ValueError("it contains a number that is too large")
        level = _below_all(level)
    raise ValueError("its values are nested too deeply")


# ---------------------------------------------------------------------------------- vouching


@dataclass(frozen=True)
class Kind:
    """A kind of sealed file. Before version ``sealed`` they had no checksum."""

    what: str
    format: str
    version: int
    sealed: int


def sealed(text: str) -> str:
    """The text of a JSON object with the checksum of it in front."""
    indent = re.match(r"\{(\s*)", text)
    assert indent is not None
    space = indent[1]
    return f'{{{space}"checksum": "{checksum_of(text.encode("utf-8"))}",{text[1:]}'


def read_sealed(path: Path, kind: Kind) -> dict[str, Any]:
    """The object in a file that is of this kind, and as it was written.

    Raises FileNotFoundError if there is none, OtherVersionError if a later release wrote it, and
    StateError for one that was changed.
    """
    return parsed_sealed(file_text(path), str(path), kind)


def parsed_sealed(text: str, where: str, kind: Kind) -> dict[str, Any]:
    """`read_sealed` for a text that was read already."""
    document = parsed(text, kind.what, where)
    if not isinstance(document, dict) or document.get("format") != kind.format:
        raise StateError(
            f"{kind.what} is not the expected kind of JSON",
            where=where,
            help=f'a "format" of "{kind.format}" is expected; {AGAIN}',
        )
    version, checksum = document.get("version"), document.pop("checksum", None)
    # Whole numbers only: what is neither has no version that ever was.
    number = version if isinstance(version, int) and not isinstance(version, bool) else 0
    if checksum is not None or not 1 <= number < kind.sealed:
        seal = _SEAL.match(text)
        if seal is None or checksum_of(f"{{{text[seal.end() :]}".encode()) != seal[2]:
            raise StateError(
                f"{kind.what} was modified after it was written: its checksum does not match",
                where=where,
                help="it was edited by hand, damaged or truncated; copy it again",
            )
    if not 1 <= number <= kind.version:
        raise OtherVersionError(
            f"{kind.what} has version {version!r}, but this release supports {kind.version}",
            where=where,
            help="it was written by a newer version of Chainrule; install that version",
        )
    return document


# ------------------------------------------------------------------------------------- types

#: A type (int is no bool, and float takes whole numbers too), None, several of them as a tuple,
#: ``[shape]`` for a list, ``{...: shape}`` for an object with any keys, or an object with these
#: keys and perhaps more, of which those that end in ``?`` may be missing.
Shape = Any


def mismatch(value: Any, shape: Shape, key_path: str = "") -> str | None:
    """Where ``value`` has not the wanted shape, as ``a.b``; None if it has."""
    if isinstance(shape, tuple):
        mismatches = [mismatch(value, option, key_path) for option in shape]
        return None if None in mismatches else mismatches[0]
    if isinstance(shape, list):
        return _first(enumerate(value), shape[0], key_path) if isinstance(value, list) else key_path
    if isinstance(shape, Mapping) and ... in shape:
        return _first(value.items(), shape[...], key_path) if isinstance(value, dict) else key_path
    if isinstance(shape, Mapping):
        return _record_mismatch(value, shape, key_path)
    if shape is None:
        return None if value is None else key_path
    if isinstance(value, bool):
        return None if shape is bool else key_path
    return None if isinstance(value, (int, float) if shape is float else shape) else key_path


def _first(pairs: Iterable[tuple[object, Any]], shape: Shape, key_path: str) -> str | None:
    mismatches = (mismatch(v, shape, _below(key_path, k)) for k, v in pairs)
    return next((bad for bad in mismatches if bad is not None), None)


def _record_mismatch(value: Any, shape: Mapping[str, Shape], key_path: str) -> str | None:
    if not isinstance(value, dict):
        return key_path
    for key, inner in shape.items():
        name = key.removesuffix("?")
        if name not in value:
            if key == name:
                return _below(key_path, name)
            continue
        bad = mismatch(value[name], inner, _below(key_path, name))
        if bad is not None:
            return bad
    return None


def _below(key_path: str, key: object) -> str:
    return f"{key_path}.{key}" if key_path else str(key)


def check_shape(value: Any, shape: Shape, where: str) -> None:
    """StateError unless ``value`` has the shape."""
    bad = mismatch(value, shape)
    if bad is not None:
        raise StateError(
            f"`{bad}` is missing or of the wrong type",
            where=where,
            help="it was edited by hand; copy it again or train again",
        )
