"""Two tests of long memory, which an LSTM passes and a plain network does not: adding and copying.

    python examples/memory.py [adding|copying] [seeds] [length]

**Adding** (Hochreiter and Schmidhuber, 1997): a row has two features in each step, a number from
0 to 1 and a mark, which is 1 in two steps and 0 in all others. Asked for is the sum of the two
marked numbers. Who always says 1 is wrong by 1/6 on average (squared); solved means below 0.01.

**Copying** (Arjovsky et al., 2016): ten symbols of eight are shown, then nothing for ``length``
steps, then a signal, after which the ten have to be said in order. Who guesses gets one of eight
right; solved means 99 % of them. In training every delay from 1 to ``length`` is as likely: what a
short one teaches, to say at the signal what was shown, is what a long one needs.

All rows are new in every step. Both are judged on rows that were not trained on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import chainrule as cr
import chainrule.nn.functional as F
from chainrule import nn, optim
from chainrule.optim import schedule

Array = npt.NDArray[Any]

SYMBOLS, SHOWN = 8, 10


class Reader(nn.Module):
    """An LSTM over all steps and a linear layer on top: of the last step, or of the last few."""

    def __init__(self, features: int, hidden: int, outputs: int, memory: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(features, hidden)
        self.head = nn.Linear(hidden, outputs)
        remember(self.lstm, memory)

    def forward(self, x: Any, steps: int) -> cr.Tensor:
        """What the head says in the last ``steps`` steps."""
        y, _ = self.lstm(x)
        return self.head(y[-steps:])


def remember(lstm: nn.LSTM, steps: int) -> None:
    """First biases with which cells keep what they hold for 1 to ``steps`` steps.

    A forget gate of sigmoid(b) keeps 1/e for about exp(b) steps, so b = log u with u uniform from
    1 to ``steps``, and -b for the input gate: Tallec and Ollivier, 2018, "Can recurrent neural
    networks warp time?". Gates stand in the order i, f, g, o.
    """
    hidden = lstm.hidden_size
    state = lstm.state_dict()
    bias = cr.log(cr.rand(hidden) * (steps - 2.0) + 1.0).numpy()
    state["bias_ih_l0"][:] = state["bias_hh_l0"][:] = 0.0
    state["bias_ih_l0"][:hidden] = -bias
    state["bias_ih_l0"][hidden : 2 * hidden] = bias
    lstm.load_state_dict(state)


def adding(rng: np.random.Generator, rows: int, length: int) -> tuple[Array, Array]:
    """x [length, rows, 2] and the sums [1, rows, 1]; one mark in each half."""
    x = np.zeros((length, rows, 2), np.float32)
    x[:, :, 0] = rng.random((length, rows))
    half = length // 2
    for first, last in ((0, half), (half, length)):
        x[rng.integers(first, last, rows), np.arange(rows), 1] = 1.0
    return x, (x[:, :, 0] * x[:, :, 1]).sum(0)[None, :, None]


def copying(rng: np.random.Generator, rows: int, length: int) -> tuple[Array, Array]:
    """One-hot x [length + 20, rows, 10], and the symbols [10, rows] to be said in the end."""
    return _copying(rng, length, np.zeros(rows, int))


def copying_sooner(rng: np.random.Generator, rows: int, length: int) -> tuple[Array, Array]:
    """The same with delays from 1 to ``length``: the symbols come after some steps of nothing."""
    return _copying(rng, length, rng.integers(0, length, rows))


def _copying(rng: np.random.Generator, length: int, first: Array) -> tuple[Array, Array]:
    """Rows whose symbols are shown from steps ``first`` on."""
    rows = len(first)
    shown = rng.integers(0, SYMBOLS, (SHOWN, rows))
    codes = np.full((length + 2 * SHOWN, rows), SYMBOLS)
    codes[first + np.arange(SHOWN)[:, None], np.arange(rows)] = shown
    codes[-SHOWN - 1] = SYMBOLS + 1
    return np.eye(SYMBOLS + 2, dtype=np.float32)[codes], shown.astype(np.int32)


@dataclass(frozen=True)
class Problem:
    """``score`` of outputs and targets is better on one side of ``solved``."""

    name: str
    length: int
    #: cells start out keeping what they hold for up to so many steps
    memory: int
    hidden: int
    rows: int
    lr: float | schedule.Schedule
    most: int
    batch: Callable[[np.random.Generator, int, int], tuple[Array, Array]]
    loss: Callable[[cr.Tensor, cr.Tensor], cr.Tensor]
    score: Callable[[Array, Array], float]
    solved: Callable[[float], bool]
    #: what is trained on, if not rows like those of the test
    practice: Callable[[np.random.Generator, int, int], tuple[Array, Array]] | None = None

    def network(self) -> Reader:
        """With as many inputs and outputs as the problem has."""
        if self.name == "adding":
            return Reader(2, self.hidden, 1, self.memory)
        return Reader(SYMBOLS + 2, self.hidden, SYMBOLS, self.memory)


ADDING = Problem(
    "adding",
    length=200,
    memory=200,
    hidden=64,
    rows=50,
    lr=schedule.Cosine(4e-3, 3000),
    most=3000,
    batch=adding,
    loss=F.mse_loss,
    score=lambda y, target: float(((y - target) ** 2).mean()),
    solved=lambda error: error < 0.01,
)
COPYING = Problem(
    "copying",
    length=50,
    memory=50,
    hidden=128,
    rows=50,
    lr=1e-2,
    most=3000,
    batch=copying,
    loss=lambda y, target: F.cross_entropy(y.reshape(-1, SYMBOLS), target.reshape(-1)),
    score=lambda y, target: float((y.argmax(-1) == target).mean()),
    solved=lambda right: right >= 0.99,
    practice=copying_sooner,
)


def train(
    problem: Problem,
    seed: int,
    told: Callable[[int, float], None] = lambda step, score: None,
    every: int = 100,
) -> int | None:
    """The step after which the problem is solved, or None; ``told`` hears the scores."""
    cr.manual_seed(seed)
    network = problem.network()
    adam = optim.Adam(network.parameters(), lr=problem.lr)
    rng, other = np.random.default_rng(seed), np.random.default_rng(10_000 + seed)
    x_test, target_test = problem.batch(other, 500, problem.length)
    steps, practice = len(target_test), problem.practice or problem.batch

    @cr.compile
    def step(x: cr.Tensor, target: cr.Tensor) -> cr.Tensor:
        adam.zero_grad()
        loss = problem.loss(network(x, steps), target)
        loss.backward()
        optim.clip.clip_grad_norm_(network.parameters(), 1.0)
        adam.step()
        return loss

    @cr.compile
    def predict(x: cr.Tensor) -> cr.Tensor:
        return network(x, steps)

    for done in range(1, problem.most + 1):
        step(*practice(rng, problem.rows, problem.length))
        if done % every == 0:
            score = problem.score(predict(x_test).numpy(), target_test)
            told(done, score)
            if problem.solved(score):
                return done
    return None


def main(name: str = "", seeds: str = "5", length: str = "") -> None:
    for problem in (ADDING, COPYING):
        if name not in ("", problem.name):
            continue
        for seed in range(int(seeds)):
            scores: list[float] = []
            solved = train(problem, seed, lambda step, score, s=scores: s.append(score))  # type: ignore[misc]
            end = f"solved in {solved} steps" if solved else f"not in {problem.most} steps"
            print(f"{problem.name}  seed {seed}  {end}  ({scores[-1]:.4f})", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
