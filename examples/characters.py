"""A language model of characters: nanoGPT's recipe for processors, on any text file.

    python examples/characters.py FILE [steps] [seed]

Four blocks of attention 128 wide look at 64 characters to guess the next one; AdamW learns from
twelve pieces of the first 90 % of the file a step, 2,000 times; then the loss on the last 10 % is
printed, in nats a character, and a piece of new text. (Andrej Karpathy, nanoGPT, "I only have a
macbook": the same sizes, rates, decay and clipping.)
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import chainrule as cr
import chainrule.nn.functional as F
from chainrule import nn, optim
from chainrule.nn import models
from chainrule.optim import schedule

Array = npt.NDArray[Any]
CONTEXT, BATCH, WARMUP = 64, 12, 100


def optimizer_of(model: models.GPT, steps: int) -> optim.Optimizer:
    """AdamW that decays matrices alone, with a rate that rises, then falls along a cosine."""
    rate = schedule.Warmup(schedule.Cosine(1e-3, max(1, steps - WARMUP), 1e-4), WARMUP)
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim == 1]
    groups = [
        {"params": matrices, "weight_decay": 0.1},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return optim.AdamW(groups, lr=rate, betas=(0.9, 0.99))


def pieces(numbers: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Pieces of the text [BATCH, CONTEXT], and what follows each character."""
    starts = rng.integers(0, len(numbers) - CONTEXT, BATCH)
    window = numbers[starts[:, None] + np.arange(CONTEXT + 1)]
    return window[:, :-1].copy(), window[:, 1:].copy()


def in_order(numbers: Array) -> Iterator[tuple[Array, Array]]:
    """All of the text in pieces side by side, in batches."""
    count = (len(numbers) - 1) // CONTEXT // BATCH * BATCH
    x, y = (numbers[i : i + count * CONTEXT].reshape(-1, BATCH, CONTEXT) for i in (0, 1))
    yield from zip(x, y, strict=True)


def loss_of(model: models.GPT, x: Any, y: Any) -> cr.Tensor:
    return F.cross_entropy(model(x).flatten(0, 1), y.flatten())


def trained(numbers: Array, vocabulary: int, steps: int, seed: int) -> models.GPT:
    cr.manual_seed(seed)
    model = models.GPT(vocabulary, CONTEXT, 128, 4, 4, bias=False)
    optimizer = optimizer_of(model, steps)

    @cr.compile
    def step(x: cr.Tensor, y: cr.Tensor) -> cr.Tensor:
        optimizer.zero_grad()
        loss = loss_of(model, x, y)
        loss.backward()
        optim.clip.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss

    rng = np.random.default_rng(seed)
    for number in range(1, steps + 1):
        loss = step(*pieces(numbers, rng))
        if number % max(1, steps // 10) == 0:
            print(f"step {number:5}  loss {loss.item():.3f}", flush=True)
    return model.eval()


def main(file: str, steps: int = 2000, seed: int = 0) -> None:
    text = Path(file).read_text(encoding="utf-8")
    letters = sorted(set(text))
    number_of = {letter: i for i, letter in enumerate(letters)}
    numbers = np.array([number_of[letter] for letter in text], np.int32)
    cut = len(numbers) * 9 // 10
    start = time.perf_counter()
    model = trained(numbers[:cut], len(letters), steps, seed)
    seconds = time.perf_counter() - start

    @cr.compile
    def judge(x: cr.Tensor, y: cr.Tensor) -> cr.Tensor:
        with cr.no_grad():
            return loss_of(model, x, y)

    losses = [judge(x, y).item() for x, y in in_order(numbers[cut:])]
    print(f"validation loss {np.mean(losses):.4f} after {seconds:.1f} s, compilation included\n")
    settings: dict[str, Any] = {"length": 300, "context": CONTEXT, "temperature": 0.8, "seed": seed}
    prompt = numbers[cut : cut + CONTEXT // 2][None]
    print(text[cut : cut + CONTEXT // 2], end="")
    for (token,) in nn.generate(cr.compile(model.step), prompt, model.new_state(1), **settings):
        print(letters[token], end="", flush=True)
    print()


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
