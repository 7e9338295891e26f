"""Continues a text, token by token, and gives each piece as soon as it is made."""

from __future__ import annotations

import codecs
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ... import nn
from ...data.text import END, PADDING, START, UNKNOWN, Tokenizer
from ...data.text.tokenizer import SPECIALS
from ...frontend.operations.arithmetic import where
from ...nn import Module
from .language_net import LanguageNet

__all__ = ["generate", "reading"]

#: a context that it pays to read so many tokens of at once, by a second program
LONG, PIECE = 256, 64
#: what is never written
UNSAID = [PADDING, UNKNOWN, START]


def reading(model: Module) -> nn.TokenLoop:
    """What makes tokens with ``model``, none that is never written."""
    assert isinstance(model, LanguageNet)
    net = model.eval()
    unsaid = np.isin(np.arange(net.size), UNSAID)

    def step(token: Any, state: Any) -> tuple[Any, Any]:
        logits, state = net.step(token, state)
        return where(unsaid, -math.inf, logits), state

    return nn.TokenLoop(step, net.size)


def generate(
    loop: nn.TokenLoop,
    model: Module,
    tokenizer: Tokenizer,
    prompt: str,
    tokens: int,
    options: Mapping[str, Any],
) -> Iterator[str]:
    """``tokens`` more tokens after ``prompt``, as text: a letter of several tokens comes whole.

    An empty prompt begins as a line does. The end of a text ends all; no other special token is
    drawn. ``options`` are those of `nn.generate`, which raises ConfigError for what makes no sense.
    """
    assert isinstance(model, LanguageNet)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    first = not prompt and tokenizer.kind in ("word", "unigram")
    at_once = PIECE if (model.context or 0) >= LONG else 1
    made = nn.generate(
        loop, [beginning(tokenizer, prompt)], model.new_state(1),
        length=tokens, context=model.context, piece=at_once, stop=END, **options,
    )  # fmt: skip
    for (token,) in made:
        if token == END:
            break
        piece = decoder.decode(tokenizer.raw(int(token)))
        yield piece.removeprefix(" ") if first else piece
        first = False
    yield decoder.decode(b"", True)


def beginning(tokenizer: Tokenizer, prompt: str) -> list[int]:
    """The tokens of a prompt; of an empty one, a new line, or the first token that there is."""
    codes: list[int] = tokenizer.encode([prompt])[0].tolist()
    if codes:
        return codes
    line: list[int] = tokenizer.encode(["\n"])[0].tolist()
    return [code for code in line if code > UNKNOWN] or [len(SPECIALS)]
