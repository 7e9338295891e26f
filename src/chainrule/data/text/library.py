"""The library that splits texts, loaded when it is first needed."""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any

from chainrule.errors import ConfigError

__all__ = ["library"]


def library() -> ModuleType:
    """The package tokenizers, on one thread: what it gives must not depend on their number.

    ConfigError if it is not installed.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        import tokenizers as module
    except ImportError:
        raise ConfigError(
            "words and pieces of words need the tokenizers package",
            help='pip install "chainrule[text]"; or use tokenizer.kind = "character"',
        ) from None
    package: Any = module
    assert isinstance(package, ModuleType)
    return package
