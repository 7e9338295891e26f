"""Every environment variable that Chainrule reads, in one table.

Variables are read when they are used, never at import, so a test or a notebook may change them at
any time. ``python -m chainrule.config`` prints the table as Markdown: that is ``docs/env.md``.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from chainrule.arguments import user_path
from chainrule.errors import ConfigError

__all__ = ["CACHE", "CACHE_DIR", "COMPARE", "DUMP", "NO_COLOR", "NUM_THREADS", "SETTINGS", "TABLE",
           "VERIFY", "Variable", "markdown"]  # fmt: skip

T = TypeVar("T")


@dataclass(frozen=True)
class Variable(Generic[T]):
    """One environment variable: ``read()`` gives its value now, or the default when it is unset.

    An empty value counts as unset. ``default_text`` is the default in words, for the documentation.
    """

    name: str
    type: str
    default: Callable[[], T]
    default_text: str
    doc: str
    parse: Callable[[str], T]

    def read(self) -> T:
        """The value now. Raises ConfigError when the text is not of this variable's type."""
        text = os.environ.get(self.name, "").strip()
        if not text:
            return self.default()
        try:
            return self.parse(text)
        except ValueError:
            raise ConfigError(
                f"{self.name} is {text!r}, which is not {self.type}",
                where=f"environment variable {self.name}",
                help=f"{self.doc} Unset it for the default: {self.default_text}.",
            ) from None


def _parse_switch(text: str) -> bool:
    try:
        return {"0": False, "false": False, "off": False, "1": True, "true": True, "on": True}[
            text.lower()
        ]
    except KeyError:
        raise ValueError(text) from None


def _parse_count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ValueError(text)
    return count


def _default_cache_dir() -> Path:
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification says that a relative path there must be ignored.
    if os.path.isabs(base):
        return Path(base) / "chainrule"
    return user_path("~", "the home folder") / ".cache" / "chainrule"


def _parse_folder(text: str) -> Path:
    return user_path(text, "the folder")


def _parse_optional_folder(text: str) -> Path | None:
    return _parse_folder(text)


def _parse_optional_count(text: str) -> int | None:
    return _parse_count(text)


def _parse_words(text: str) -> tuple[str, ...]:
    return tuple(shlex.split(text))


CACHE: Variable[bool] = Variable(
    "CHAINRULE_CACHE",
    type="a switch (0 or 1)",
    default=lambda: True,
    default_text="1",
    doc="Whether compiled programs are cached on disk for later processes.",
    parse=_parse_switch,
)
CACHE_DIR: Variable[Path] = Variable(
    "CHAINRULE_CACHE_DIR",
    type="a folder",
    default=_default_cache_dir,
    default_text="`$XDG_CACHE_HOME/chainrule`, else `~/.cache/chainrule`",
    doc="Folder of the cache of compiled programs; created for this user only (mode 0700).",
    parse=_parse_folder,
)
COMPARE: Variable[bool] = Variable(
    "CHAINRULE_COMPARE",
    type="a switch (0 or 1)",
    default=lambda: False,
    default_text="0",
    doc="Whether the first step of each program is checked against the interpreter, which is slow.",
    parse=_parse_switch,
)
DUMP: Variable[Path | None] = Variable(
    "CHAINRULE_DUMP",
    type="a folder",
    default=lambda: None,
    default_text="nothing is written",
    doc="Folder to dump every stage of each compilation to, as text: `000_00_trace.txt` and so on.",
    parse=_parse_optional_folder,
)
NO_COLOR: Variable[bool] = Variable(
    "CHAINRULE_NO_COLOR",
    type="a switch (0 or 1)",
    # https://no-color.org: any non-empty value of NO_COLOR turns colour off.
    default=lambda: bool(os.environ.get("NO_COLOR")),
    default_text="1 if `NO_COLOR` is set, else 0",
    doc="Whether to turn off colour in terminal output.",
    parse=_parse_switch,
)
NUM_THREADS: Variable[int | None] = Variable(
    "CHAINRULE_NUM_THREADS",
    type="a whole number of at least 1",
    default=lambda: None,
    default_text="the processors available to this process (affinity and container quota)",
    doc="Number of threads that run a compiled program. It does not affect the results.",
    parse=_parse_optional_count,
)
SETTINGS: Variable[tuple[str, ...]] = Variable(
    "CHAINRULE_SETTINGS",
    type="words such as `train.lr=0.003`, split as in a shell",
    default=lambda: (),
    default_text="none",
    doc="Settings for every new run; they override `run.toml`, and options override them.",
    parse=_parse_words,
)

VERIFY: Variable[bool] = Variable(
    "CHAINRULE_VERIFY",
    type="a switch (0 or 1)",
    default=lambda: False,
    default_text="0",
    doc="Whether to prove that each compiled program reads only what it has stored.",
    parse=_parse_switch,
)

TABLE: tuple[
    Variable[bool]
    | Variable[Path]
    | Variable[Path | None]
    | Variable[int | None]
    | Variable[tuple[str, ...]],
    ...,
] = (
    CACHE,
    CACHE_DIR,
    COMPARE,
    DUMP,
    NO_COLOR,
    NUM_THREADS,
    SETTINGS,
    VERIFY,
)


def markdown() -> str:
    """The table as the text of ``docs/env.md``."""
    lines = [
        "# Environment variables",
        "",
        "Generated from `src/chainrule/config.py` by `make docs`. Each is read when it is used;",
        "an empty value counts as unset.",
        "",
        "| Variable | Value | Default | What it does |",
        "|---|---|---|---|",
    ]
    lines += [f"| `{v.name}` | {v.type} | {v.default_text} | {v.doc} |" for v in TABLE]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")
