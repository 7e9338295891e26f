"""Continues a text, token by token, and gives each piece as soon as it is made."""

from __future__ import annotations

import codecs
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...data.text import PADDING, START, UNKNOWN, Tokenizer
from ...data.text.tokenizer import SPECIALS
from ...errors import ConfigError
from ...frontend import no_grad
from ...frontend.apply import from_array
from ...frontend.compiled import compile
from ...nn import Module
from .language_net import RecurrentLanguage
from .sampling import Sampler

__all__ = ["MOST_TOKENS", "generate"]

Logits = npt.NDArray[np.floating]
MOST_TOKENS = 1_000_000
NEVER = -1e30


class Reading(ABC):
    """A network that has read some tokens."""

    @abstractmethod
    def read(self, token: int) -> Logits:
        """One more token; the logits [size] of the one after it."""


class RecurrentReading(Reading):
    """Keeps the state of the recurrent layers: it has no limit."""

    def __init__(self, model: RecurrentLanguage) -> None:
        self.step = compile(model.step)
        self.state: Any = from_array(np.zeros((model.layers, 1, model.hidden), np.float32))

    def read(self, token: int) -> Logits:
        with no_grad():
            logits, self.state = self.step(from_array(np.array([[token]], np.int32)), self.state)
        return np.asarray(logits.numpy()[0])


def reading_of(model: Module) -> Reading:
    """A network that has read nothing yet."""
    model.eval()
    assert isinstance(model, RecurrentLanguage)
    return RecurrentReading(model)


def generate(
    model: Module,
    tokenizer: Tokenizer,
    prompt: str,
    tokens: int,
    sampler: Sampler,
) -> Iterator[str]:
    """``tokens`` more tokens after ``prompt``, as text: a letter of several tokens comes whole.

    An empty prompt begins as a text does. Special tokens are never drawn, but for the end of a
    text, which ends all. ConfigError for a number of tokens that makes no sense.
    """
    if not 0 <= tokens <= MOST_TOKENS:
        raise ConfigError(f"tokens is {tokens}", help=f"expected: from 0 to {MOST_TOKENS:,}")
    reading = reading_of(model)
    logits: Logits = np.zeros(0)
    for token in beginning(tokenizer, prompt):
        logits = reading.read(token)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    first = not prompt
    for _ in range(tokens):
        allowed = np.array(logits, np.float64)
        allowed[[PADDING, UNKNOWN, START]] = NEVER
        token = sampler.draw(allowed)
        if token < len(SPECIALS):
            break
        piece = decoder.decode(tokenizer.raw(token))
        yield piece.removeprefix(" ") if first and tokenizer.kind in ("word", "unigram") else piece
        first = False
        logits = reading.read(token)
    yield decoder.decode(b"", True)


def beginning(tokenizer: Tokenizer, prompt: str) -> Sequence[int]:
    """The tokens of a prompt; of an empty one, a new line, or the first token that there is."""
    codes: list[int] = tokenizer.encode([prompt])[0].tolist()
    if codes:
        return codes
    line: list[int] = tokenizer.encode(["\n"])[0].tolist()
    return line or [len(SPECIALS)]
