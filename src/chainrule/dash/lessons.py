"""Lessons for pages: made by the command, in a process of its own, as they need the engine."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from ..errors import ConfigError

__all__ = ["lesson_document", "lesson_list", "verdict"]

Document = dict[str, Any]
#: they are the same whenever they are asked for
_kept: dict[tuple[str, ...], Document] = {}


async def lesson_list() -> Document:
    """Names and titles."""
    return await _said("--lessons")


async def lesson_document(name: str) -> Document:
    """The pages of a lesson, and its question. ConfigError if there is none of that name."""
    return await _said(f"--lesson={name}")


async def verdict(name: str, answer: str) -> Document:
    """Whether an answer is right, and why. ConfigError if it is no number."""
    return await _said(f"--lesson={name}", f"--answer={answer[:40]}")


async def _said(*options: str) -> Document:
    if options in _kept:
        return _kept[options]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "chainrule", "scope", *options, "--json", "--threads", "1",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, messages = await process.communicate()
    if not out:
        what, *more = messages.decode("utf-8", "replace").strip().split("\n")
        help_ = [line.partition("help:")[2].strip() for line in more if "help:" in line]
        raise ConfigError(what.removeprefix("error: "), help="".join(help_[:1]))
    document: Document = json.loads(out)
    if not any(option.startswith("--answer") for option in options):
        _kept[options] = document
    return document
