"""Arguments whose kind is checked in one place: paths, pairs, and states that were saved."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

from .errors import ConfigError, StateError

__all__ = ["check_state", "is_pair", "path_beside", "path_of", "user_path"]


def is_pair(source: object) -> TypeGuard[tuple[Any, Any]]:
    """Whether a source is ``(X, y)``: data in memory with one value of the target for each row."""
    return isinstance(source, tuple) and len(source) == 2


def path_of(value: object, what: str) -> Path:
    """``value`` as a path. ConfigError, with ``what`` it is, if it is none."""
    if isinstance(value, str | os.PathLike):
        return Path(value)
    raise ConfigError(f"{what} is {value!r}", help="pass a path: text or a pathlib.Path")


def user_path(value: object, what: str) -> Path:
    """`path_of` with ``~`` and ``~name`` as the folders of users.

    ConfigError, with ``what`` it is, for a user that does not exist, and for what can be no path.
    """
    path = path_of(value, what)
    if "\0" in str(path):
        raise ConfigError(f"{what} is {str(path)!r}", help="a path cannot contain a null character")
    try:
        return path.expanduser()
    except RuntimeError:
        raise ConfigError(
            f"{what} is {str(path)!r}, but there is no user {path.parts[0]}",
            help="write the path in full, or put ./ in front of a name that starts with ~",
        ) from None


def path_beside(path: str, file: Path) -> str:
    """``path``, which is relative to the working folder, relative to the folder of ``file``."""
    folder = user_path(file, "the output").absolute().parent
    return os.path.relpath(user_path(path, "the data").absolute(), folder)


def check_state(state: object, owner: str, source: str = "state_dict()") -> None:
    """StateError unless ``state`` is a mapping, as ``source`` of ``owner`` returned one."""
    if isinstance(state, Mapping):
        return
    plain = state is None or isinstance(state, str | int | float)
    raise StateError(
        f"this is not the state of {owner}: it is {state!r}"
        if plain
        else f"this is not the state of {owner}: it is a {type(state).__name__}",
        help="read the file first: chainrule.load(path)"
        if isinstance(state, str | os.PathLike)
        else f"give what {source} returned",
    )
