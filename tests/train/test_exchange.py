"""Gradients are summed in groups beside the program that computes them: to the same bits, and never
before they are complete."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from chainrule import nn, optim
from chainrule.errors import TrainingError
from chainrule.frontend import manual_seed
from chainrule.runtime.completions import Completions
from chainrule.train import Trainer, exchange, parts
from chainrule.train.exchange import Exchange
from chainrule.train.order import Order
from chainrule.train.parted import PartedStepper
from chainrule.train.parts import Groups, Layout, Subtree, total

BATCH, STEPS = 24, 3


class Neighbour:
    """A worker that is a thread, and only sums.

    It keeps what it was given, and looks in the end whether that was all; then nothing of it is
    left, so that the next step has to store everything.
    """

    near = False

    def __init__(self, rank: int, desk: dict[int, Any], meeting: threading.Barrier) -> None:
        self.rank, self.size, self._desk, self._meeting = rank, meeting.parties, desk, meeting
        self.given: list[tuple[Any, Any]] = []
        self.threads: set[str] = set()
        self.sums = self.numbers = 0

    def sum(
        self,
        sums: Mapping[Subtree, Any],
        into: Any,
        count: int,
        busy: Callable[[], bool] | None = None,
    ) -> Any:
        copies = {key: value.copy() for key, value in sums.items()}
        self.given += [(sums[key], copies[key].copy()) for key in sums]
        self.threads.add(threading.current_thread().name)
        self.sums, self.numbers = self.sums + 1, self.numbers + len(into)
        self._desk[self.rank] = copies
        self._meeting.wait()
        every = {key: value.copy() for desk in self._desk.values() for key, value in desk.items()}
        total(every, count, into)
        self._meeting.wait()
        return into

    def look(self) -> None:
        for memory, copy in self.given:
            np.testing.assert_array_equal(memory, copy)
            memory[:] = np.nan
        self.given.clear()


def perceptron() -> nn.Module:
    return nn.Sequential(
        nn.Linear(72, 40), nn.Tanh(), nn.Linear(40, 24), nn.ReLU(), nn.Linear(24, 3)
    )


def convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (2, 6, 6)), nn.Conv2d(2, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Flatten(), nn.Linear(288, 3),
    )  # fmt: skip


def transformer() -> nn.Module:
    layer = nn.TransformerEncoderLayer(12, 2, 16, dropout=0.0, batch_first=True)
    return nn.Sequential(nn.Unflatten(1, (6, 12)), layer, nn.Flatten(), nn.Linear(72, 3))


def data() -> tuple[Any, ...]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((BATCH * 2, 72)).astype(np.float32)
    return x, rng.integers(0, 3, BATCH * 2), rng.uniform(0.5, 2.0, BATCH * 2)


def prepared(make: Callable[[], nn.Module], count: int, accumulate: int = 1) -> Any:
    """A trainer and its rows: whole batches, one of them smaller."""
    manual_seed(0)
    model = make()
    trainer = Trainer(
        model, "cross_entropy", optim.Adam(model.parameters()), parts=count, accumulate=accumulate
    )
    source = trainer.read(data())[0]
    order = Order.of(source.rows, BATCH, 0, shuffle=True)
    trainer.accumulation.begin(order, 0)
    rows = np.resize(order.batches(0)[0], (STEPS, BATCH))
    return trainer, source, [rows, rows[:1, : BATCH - 5]]


def trained(trainer: Trainer, source: Any, blocks: Any) -> list[Any]:
    """Losses and weights; all that was given to sums is looked at after each step."""
    stepper, losses = trainer.stepper, []
    assert isinstance(stepper, PartedStepper)
    for rows in blocks:
        for row in rows:
            losses.append(stepper.run(source, row[None]))
            if isinstance(stepper.workers, Neighbour):
                stepper.workers.look()
    return [*losses, *(np.array(a) for a in trainer.model.state_dict().values())]


def shared(make: Callable[[], nn.Module], count: int, size: int, accumulate: int = 1) -> Any:
    """What each of ``size`` workers comes to, and the workers."""
    desk: dict[int, Any] = {}
    meeting = threading.Barrier(size, timeout=120)
    workers = [Neighbour(rank, desk, meeting) for rank in range(size)]
    everything = [prepared(make, count, accumulate) for _ in workers]
    for (trainer, _, _), worker in zip(everything, workers, strict=True):
        trainer.stepper.workers = worker
    with ThreadPoolExecutor(size) as pool:
        results = list(pool.map(lambda each: trained(*each), everything))
    return results, workers


def patient(work: Any) -> None:
    """`finish`, once the thread has done everything."""
    while work.error is None and work._next < work._groups:
        time.sleep(1e-4)
    finish(work)


finish = exchange._Work.finish


@pytest.fixture
def _small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "GROUP", 100)
    monkeypatch.setattr(parts, "SHARE", 1)


@pytest.mark.usefixtures("_small_groups")
@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("make", [perceptron, convolutional, transformer])
def test_groups_have_the_bits_of_one_process(
    make: Callable[[], nn.Module], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the thread does all of them, or what it comes to. Whole batches are computed at once,
    and the smaller one part by part, the last of which is larger; of three workers each has
    several subtrees."""
    alone = trained(*prepared(make, 8))
    either, _ = shared(make, 8, size)
    with monkeypatch.context() as patch:
        patch.setattr(exchange._Work, "finish", patient)
        results, workers = shared(make, 8, size)
    monkeypatch.setattr(parts, "GROUP", 1 << 30)
    whole, together = shared(make, 8, size)
    for found in (*either, *results, *whole):
        for one, other in zip(alone, found, strict=True):
            np.testing.assert_array_equal(one, other)
    for grouped, single in zip(workers, together, strict=True):
        assert grouped.threads == {"chainrule-exchange"}
        assert grouped.sums >= 3 * single.sums
        assert grouped.numbers == single.numbers
        assert single.threads != grouped.threads


@pytest.mark.usefixtures("_small_groups")
@pytest.mark.parametrize(("count", "size", "accumulate"), [(6, 4, 1), (3, 2, 3)])
def test_uneven_shares_and_groups_of_batches(count: int, size: int, accumulate: int) -> None:
    alone = trained(*prepared(perceptron, count, accumulate))
    results, _ = shared(perceptron, count, size, accumulate)
    for found in results:
        for one, other in zip(alone, found, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.usefixtures("_small_groups")
@pytest.mark.parametrize("at", [1, 2])
def test_an_error_of_the_exchange_reaches_the_trainer(
    at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one while the program still runs; and the next step finds nothing of it."""
    trainer, source, (rows, _) = prepared(perceptron, 4)
    worker = Neighbour(0, {}, threading.Barrier(1))
    worker.size = 2  # all parts of the other one are zero
    monkeypatch.setattr(Neighbour, "sum", _of_one)
    trainer.stepper.workers = worker
    expected = trainer.stepper.run(source, rows[:1])

    def fail(self: Neighbour, sums: Any, into: Any, count: int, busy: Any) -> None:
        self.sums += 1
        if self.sums == at:
            raise MemoryError("the exchange")

    trainer, source, (rows, _) = prepared(perceptron, 4)
    trainer.stepper.workers = worker
    monkeypatch.setattr(Neighbour, "sum", fail)
    for _ in range(2):
        worker.sums = 0
        with pytest.raises(MemoryError, match="the exchange"):
            trainer.stepper.run(source, rows[:1])
    monkeypatch.setattr(Neighbour, "sum", _of_one)
    np.testing.assert_array_equal(trainer.stepper.run(source, rows[:1]), expected)


def _of_one(self: Neighbour, sums: Any, into: Any, count: int, busy: Any = None) -> Any:
    (own,) = sums.values()
    return own


class Patient:
    """Another worker never answers: its sum lasts until it is given up."""

    rank, size, near = 0, 2, False

    def __init__(self) -> None:
        self.waiting, self.ended = threading.Event(), threading.Event()
        self.error = ""

    def sum(self, sums: Any, into: Any, count: int, busy: Callable[[], bool]) -> None:
        try:
            while busy():
                self.waiting.set()
        except TrainingError as error:
            self.error = str(error)
            self.ended.set()
            raise


@pytest.mark.parametrize("told", [0, 1])
def test_an_error_of_the_program_lets_the_thread_go(told: int) -> None:
    """Whether it waits for the program or for others; then it serves the next batch."""
    groups = Groups(((0,), (1,)), (Layout(((1, 5),)), Layout(((1, 3),))))
    worker = Patient()
    work = Exchange(worker)  # type: ignore[arg-type]

    def broken(completions: Completions | None) -> None:
        assert completions is not None
        completions.tell(told)
        if told:
            assert worker.waiting.wait(60)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work.summed(groups, lambda group: {}, 4, broken)
    assert work._thread is not None

    def fill(sums: Any, into: Any, count: int, busy: Any) -> Any:
        into[:] = count
        return into

    worker.sum = fill  # type: ignore[method-assign]
    first, second = work.summed(groups, lambda group: {}, 4, lambda c: c.tell(2))  # type: ignore[union-attr]
    np.testing.assert_array_equal(first, np.full((1, 5), 4.0))
    np.testing.assert_array_equal(second, np.full((1, 3), 4.0))
    if told:
        assert worker.ended.wait(60)
        assert worker.error == "the exchange of gradients was given up"


def test_the_thread_ends_with_its_exchange() -> None:
    work = Exchange(Patient())  # type: ignore[arg-type]
    groups = Groups(((0,), (1,)), (Layout(((1, 5),)), Layout(((1, 3),))))
    work.workers.sum = lambda own, into, *_: into  # type: ignore[method-assign]
    work.summed(groups, lambda group: {}, 4, lambda c: c.tell(2))  # type: ignore[union-attr]
    thread = work._thread
    assert thread is not None
    assert thread.is_alive()
    del work
    thread.join(60)
    assert not thread.is_alive()


# ------------------------------------------------------------------------------------- groups


@pytest.mark.parametrize(("workers", "count"), [(2, 2), (16, 1)])
def test_groups_are_large_and_begin_with_the_last_layers(workers: int, count: int) -> None:
    shapes = [(), (784, 512), (512,), (512, 512), (512,), (512, 10), (10,)]
    groups = Groups.of(shapes, 1, workers)
    assert sorted(i for group in groups.members for i in group) == list(range(7))
    assert groups.members[0][:2] == (0, 6)
    assert groups.members[-1][-1] == 1
    lengths = [layout.length for layout in groups.layouts]
    assert len(lengths) == count
    assert all(length >= parts.GROUP for length in lengths[:-1])
    views = groups.taken_apart(groups.memory())
    assert [view.shape[1:] for view in views] == shapes


def test_small_gradients_are_one_group() -> None:
    groups = Groups.of([(), (), (100, 1000), (1000,), (30,)], 2, 2)
    assert groups.members == ((0, 1, 4, 3, 2),)
