"""What the workers of `test_mpi.py` do; also run by one process alone.

Each line on worker 0's stdout is one result, as JSON.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.distributed import mpi
from chainrule.distributed.mpi_workers import MpiWorkers
from chainrule.errors import ChainruleError
from chainrule.train import BatchSource, Checkpoints, Observe, OwnRows, Padded, Trainer, parts
from chainrule.train.callbacks import TimeLimit
from chainrule.train.divided import Divided, columns_of
from chainrule.train.evaluation import Evaluator
from chainrule.train.examples import Examples
from chainrule.train.parted import PartedStepper
from chainrule.train.parts import Division, fold, subtrees
from chainrule.train.together import Together
from chainrule.train.workers import own_of
from hasty import hasty
from train.problems_small import Sums

WORKERS = mpi()
#: the same, as if each were on a machine of its own
APART = WORKERS if WORKERS.size == 1 else MpiWorkers(WORKERS._comm, messages=True)


def say(name: str, value: Any) -> None:
    """One result, which all workers must have alike."""
    every = WORKERS.gather(value)
    assert all(one == every[0] for one in every), (name, every)
    if WORKERS.rank == 0:
        print(json.dumps([name, value]), flush=True)


def digest(model: nn.Module) -> str:
    arrays = [np.ascontiguousarray(a).tobytes() for a in model.state_dict().values()]
    return hashlib.sha256(b"".join(arrays)).hexdigest()[:16]


def sha(words: Any) -> str:
    return hashlib.sha256(repr(words).encode()).hexdigest()[:16]


def trainer_of(**settings: Any) -> Trainer:
    # Worker 0's first weights and draws are those of all.
    cr.manual_seed(WORKERS.rank)
    model = nn.Sequential(
        nn.Linear(3, 9), nn.BatchNorm1d(9), nn.Tanh(), nn.Dropout(0.2), nn.Linear(9, 3)
    )
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    return Trainer(model, "cross_entropy", optimizer, ["accuracy"], parts=16, **settings)


def data(rows: int = 133) -> tuple[Any, ...]:
    """Weighed rows, the last batch of which is small."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, 3)).astype(np.float32)
    return x, rng.integers(0, 3, rows), rng.uniform(0.5, 2.0, rows)


def lengths() -> BatchSource:
    """Rows of two lengths, so parts of one batch are read at different ones."""
    rng = np.random.default_rng(1)
    found = np.tile([2, 6], 40)
    x = rng.standard_normal((80, 6)).astype(np.float32) * (np.arange(6) < found[:, None])
    y = x.sum(axis=1, keepdims=True)
    return Padded((x.astype("f"), y.astype("f")), found, (2, 6), (True, False))


def refused(call: Any) -> str:
    try:
        call()
    except ChainruleError as error:
        return str(error)
    return "nothing"


def held(rows: int) -> bool:
    """Whether a worker's memory holds about its share of so many rows, once it has fetched some."""
    edges = [rank * rows // WORKERS.size for rank in range(WORKERS.size + 1)]
    x = np.arange(rows * 3, dtype=np.float32).reshape(rows, 3)
    mine = Examples((x[edges[WORKERS.rank] : edges[WORKERS.rank + 1]].copy(),), labelled=False)
    source = Together.of(WORKERS).divided(OwnRows(None), mine, False)
    assert isinstance(source, Divided)
    wanted = np.random.default_rng(0).permutation(rows)[:320].astype(np.int32).reshape(10, 32)
    division = Division.of(32, 32, 16)
    columns = columns_of(WORKERS.size, division)
    own = columns[WORKERS.rank]
    assert source.steps_at_once(32, 16) >= 10
    places = source.fetch(wanted, columns)
    np.testing.assert_array_equal(source.window.arrays[0][places[:, own]], x[wanted[:, own]])
    assert "read by training alone" in refused(lambda: source.arrays)
    return source.rows == rows and source.held * WORKERS.size < 1.2 * x.nbytes


def sums_agree() -> bool:
    """Whether sums in memory that all see, and in messages, are those along the tree."""
    assert WORKERS.near
    assert not APART.near
    for count, length in itertools.product((WORKERS.size, 7, 8, 16), (1, 5, 64, 1000)):
        every = np.random.default_rng(count).standard_normal((count, length)).astype(np.float32)
        begin, end = own_of(WORKERS.rank, WORKERS.size, count)
        mine = {
            (first, size): fold(every[first : min(first + size, end)].copy()).copy()
            for first, size in subtrees(begin, end)
        }
        wanted = fold(every.copy())
        for workers in (WORKERS, APART, WORKERS):
            copies = {key: values.copy() for key, values in mine.items()}
            into = np.empty(length, np.float32)
            np.testing.assert_array_equal(workers.sum(copies, into, count), wanted)
    assert WORKERS.sent == 2 * APART.sent
    return True


def in_groups() -> None:
    """The same in groups, each exchanged while the program goes on; and what is sent."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "GROUP", 16)
        patch.setattr(parts, "SHARE", 1)
        trainer = trainer_of()
        history = trainer.fit(data(), epochs=2, batch_size=32, workers=APART, verbose=False)
        say("groups", [digest(trainer.model), history["loss"]])
        if WORKERS.size > 1:
            before, trainer = APART.sent, trainer_of()
            trainer.fit(data(128), epochs=2, batch_size=32, workers=APART, verbose=False)
            assert isinstance(trainer.stepper, PartedStepper)
            (memory,) = trainer.stepper._memory.values()
            length = sum(layout.length for layout in memory.groups.layouts)
            sent = sum(APART.gather(APART.sent - before))
            say("number of groups", len(memory.groups.members))
            say("sent", sent / (8 * 2 * (WORKERS.size - 1) * 4 * length))


def validated(name: str, trainer: Trainer, rows: Any) -> None:
    """Validation data in many blocks, of which each worker evaluates some."""
    blocks, piece = 0, Evaluator._piece

    def counted(self: Evaluator, source: BatchSource, places: Any) -> Any:
        nonlocal blocks
        blocks += len(places)
        return piece(self, source, places)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chainrule.train.trainer.EVALUATION_ROWS", 8)
        patch.setattr(Evaluator, "_piece", counted)
        history = trainer.fit(
            rows, validation=rows, epochs=2, batch_size=32, workers=WORKERS, verbose=False
        )
    every = WORKERS.gather(blocks)
    assert max(every) < sum(every) / WORKERS.size + 4
    say(name, [sum(every), history.rows()])


def main(folder: Path) -> None:
    if WORKERS.size > 1:
        say("sums", sums_agree())
    for accumulate in (1, 3):
        trainer = trainer_of(accumulate=accumulate)
        history = trainer.fit(data(), epochs=2, batch_size=32, workers=WORKERS, verbose=False)
        say(f"accumulate {accumulate}", [digest(trainer.model), history["loss"]])

    in_groups()
    validated("validated", trainer_of(), data())
    model = Sums()
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    validated("validated by length", Trainer(model, "mse", optimizer, parts=8), lengths())

    observed = Observe("full", 3)
    trainer = trainer_of()
    trainer.fit(data(), epochs=2, batch_size=32, workers=WORKERS, verbose=False, observe=observed)
    layers = [repr(observation.layers) for observation in trainer.observations]
    say("observed", [digest(trainer.model), len(layers), sha(layers)])

    # Each has some of the rows, and reads those of its parts from who has them.
    edges = [rank * 133 // WORKERS.size for rank in range(WORKERS.size + 1)]
    mine = slice(edges[WORKERS.rank], edges[WORKERS.rank + 1])
    trainer = trainer_of()
    rows = OwnRows(tuple(array[mine] for array in data()))
    history = trainer.fit(
        rows, validation=data(), epochs=2, batch_size=32, workers=WORKERS, verbose=False
    )
    say("own rows", [digest(trainer.model), history["loss"]])

    model = Sums()
    by_length = Trainer(model, "mse", optim.SGD(model.parameters(), lr=0.01), parts=8)
    by_length.fit(lengths(), epochs=2, batch_size=16, workers=WORKERS, verbose=False)
    say("lengths", digest(model))

    # A clock ends all alike; the rest is trained from the checkpoint.
    checkpoints = Checkpoints(folder, every=3)
    settings: dict[str, Any] = {"batch_size": 32, "workers": WORKERS, "verbose": False}
    limit = TimeLimit(1e-9 if WORKERS.rank == 0 else 1e9)
    trainer = trainer_of()
    trainer.fit(data(), epochs=3, callbacks=limit, checkpoints=checkpoints, **settings)
    again = trainer_of()
    again.fit(data(), epochs=3, checkpoints=checkpoints, resume=True, callbacks=TimeLimit(1e9),
              **settings)  # fmt: skip
    say("resumed", [len(trainer.history.epoch), len(again.history.epoch), digest(again.model)])

    # More parts than one each, for the differences that follow.
    say("words", WORKERS.broadcast({"any": ["thing", 1.5, None]}))
    say("bytes", hashlib.sha256(WORKERS.broadcast_bytes(b"x" * 100_000)).hexdigest()[:8])
    if WORKERS.size > 1:
        few = refused(lambda: trainer_of().fit(data(1), workers=WORKERS, verbose=False))
        say("few rows", few)
        rate = refused(
            lambda: trainer_of().fit(
                data(), epochs=2 + (WORKERS.rank == 1), workers=WORKERS, verbose=False
            )
        )
        say("epochs", rate)
        other = refused(
            lambda: trainer_of().fit(data(133 - WORKERS.rank), workers=WORKERS, verbose=False)
        )
        say("data", "the training data" in other and "rows" in other)
        measured = refused(
            lambda: trainer_of().fit(OwnRows(data()), workers=WORKERS, verbose=False)
        )
        say("measured", measured)
        wide = [data()[0], data()[0][:, :2]][WORKERS.rank == 1]
        alike = refused(
            lambda: Together.of(WORKERS).divided(OwnRows(wide), Examples((wide,)), False)
        )
        say("alike", alike)
        say("held", held(40_000))


if __name__ == "__main__":
    with hasty():
        main(Path(sys.argv[1]))
    if APART is not WORKERS:
        APART.close()
