"""Batches in parts: what they weigh, what they change, and the tree that sums them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import nn, optim
from chainrule.errors import ConfigError, StateError
from chainrule.frontend import manual_seed
from chainrule.ops.reduce import tree
from chainrule.runs.settings.training import TrainSettings
from chainrule.train import Checkpoints, Padded, Trainer
from chainrule.train.accumulate import TreeAccumulation
from chainrule.train.parts import MOST_PARTS, Division, fold, parts_for, subtrees, total
from chainrule.train.workers import own_of
from interpreting import interpreting
from train.problems_small import Sums, blobs, line, weights


@pytest.fixture(scope="module", autouse=True)
def _interpreted() -> Iterator[None]:
    with interpreting():
        yield


# ------------------------------------------------------------------------------ the arithmetic


@pytest.mark.parametrize("rows", [1, 2, 7, 16, 33, 64, 100])
@pytest.mark.parametrize("parts", [2, 3, 16, "auto"])
def test_parts_cover_the_rows_once(rows: int, parts: Any) -> None:
    for batch_size in (rows, 64):  # a whole batch, and the last one of an epoch
        division = Division.of(rows, max(batch_size, rows), parts)
        sizes = [size for _, n, size in division.pieces(0, division.count) for _ in range(n)]
        assert sum(sizes) == rows
        assert len(sizes) == division.count <= MOST_PARTS
        assert [size / rows for size in sizes] == [division.share(i) for i in range(len(sizes))]
        for i, size in enumerate(sizes):
            assert division.pieces(i, i + 1) == [(i, 1, size)]


def test_auto_gives_parts_of_64_rows() -> None:
    sizes = {1: 1, 3: 1, 4: 2, 12: 4, 64: 4, 256: 4, 512: 8, 1000: 8, 1024: 16, 9999: 16}
    assert {rows: parts_for(rows) for rows in sizes} == sizes


@pytest.mark.parametrize("count", range(1, MOST_PARTS + 1))
def test_the_sum_is_the_same_for_any_number_of_workers(count: int) -> None:
    """To the bit, whichever ranges of parts are summed by whom."""
    rng = np.random.default_rng(count)
    values = (rng.standard_normal((count, 9)) * 10.0 ** rng.integers(-4, 5, (count, 1))).astype("f")
    expected = tree(list(values), np.add)
    np.testing.assert_array_equal(fold(values.copy()), expected)
    for workers in range(1, count + 1):
        sums = {}
        for rank in range(workers):
            begin, end = own_of(rank, workers, count)
            assert end > begin
            for first, size in subtrees(begin, end):
                sums[first, size] = fold(values[first : min(first + size, end)].copy())
        found = np.empty_like(expected)
        total(sums, count, found)
        np.testing.assert_array_equal(found, expected)


def test_a_worker_of_a_power_of_two_sends_one_sum() -> None:
    assert [len(subtrees(*own_of(rank, 4, 16))) for rank in range(4)] == [1, 1, 1, 1]


@pytest.mark.parametrize("batches", range(1, 9))
def test_groups_go_on_with_the_tree(batches: int) -> None:
    rng = np.random.default_rng(batches)
    values = rng.standard_normal((batches, 5)).astype("f")
    held = TreeAccumulation(batches, False, 2)
    for value in values:
        held.add([value])
        other = TreeAccumulation(batches, False, 2)
        other.set_arrays(held.arrays())  # through a checkpoint
        held = other
    np.testing.assert_array_equal(held.total()[0], tree(list(values), np.add))


def test_the_setting_allows_as_many_parts_as_there_are_streams_of_random_numbers() -> None:
    assert TrainSettings(parts=MOST_PARTS).parts == MOST_PARTS
    with pytest.raises(ConfigError, match=r"train\.parts"):
        TrainSettings(parts=MOST_PARTS + 1)


# --------------------------------------------------------------------------------- trainings


def trainer_of(parts: Any, loss: Any = "cross_entropy", **settings: Any) -> Trainer:
    manual_seed(0)
    outputs = 1 if loss == "mse" else 3
    model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, outputs))
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    return Trainer(model, loss, optimizer, parts=parts, **settings)


def l2(parameters: list[Any]) -> Any:
    return sum(((p * p).sum() for p in parameters), start=0.0) * 0.01


WEIGHTS = np.random.default_rng(3).uniform(0.1, 5.0, 150)
IGNORED = np.where(np.arange(150) % 3 == 1, -100, blobs(150)[1])


@pytest.mark.parametrize(
    ("loss", "data", "settings"),
    [
        ("cross_entropy", blobs(150), {}),
        ("cross_entropy", (*blobs(150), WEIGHTS), {}),
        ("cross_entropy", (blobs(150)[0], IGNORED), {}),
        (nn.CrossEntropyLoss(reduction="sum"), blobs(150), {"penalty": l2}),
        (nn.CrossEntropyLoss(weight=np.array([1.0, 2.0, 5.0], "f")), blobs(150), {}),
        ("mse", line(150), {"penalty": l2, "clip": {"global_norm": 0.05}}),
        ("mse", (*line(150), WEIGHTS), {"accumulate": 3}),
        ("cross_entropy", blobs(150), {"accumulate": 3, "penalty": l2}),
    ],
)
def test_parts_make_the_update_of_the_whole(loss: Any, data: Any, settings: Any) -> None:
    """Exactly weighed: by rows, or by what the mean of the loss divides by. Last batches and last
    groups are smaller. Where batches of sample weights accumulate, today's groups count by rows."""
    whole, parts = trainer_of(1, loss, **settings), trainer_of(5, loss, **settings)
    if settings.get("accumulate") and len(data) == 3:
        whole = trainer_of(1, loss)  # one big batch
        a = whole.fit(data, epochs=2, batch_size=96, verbose=False)
    else:
        a = whole.fit(data, epochs=2, batch_size=32, verbose=False)
    b = parts.fit(data, epochs=2, batch_size=32, verbose=False)
    if "accumulate" not in settings:
        np.testing.assert_allclose(a["loss"], b["loss"], rtol=1e-5)
    for x, y in zip(weights(whole), weights(parts), strict=True):
        np.testing.assert_allclose(x, y, rtol=2e-4, atol=2e-5)


def test_no_parts_are_the_bits_there_always_were() -> None:
    digests = []
    for settings in ({}, {"parts": 0}, {"parts": 1}):
        manual_seed(0)
        model = nn.Linear(2, 3)
        trainer = Trainer(model, "cross_entropy", optim.Adam(model.parameters()), **settings)
        trainer.fit(blobs(50), epochs=1, verbose=False)
        digests.append(b"".join(np.asarray(w).tobytes() for w in weights(trainer)))
    assert digests[0] == digests[1] == digests[2]


def test_statistics_of_batches_are_those_of_parts_and_averaged() -> None:
    manual_seed(0)
    norm = nn.BatchNorm1d(2)
    model = nn.Sequential(norm, nn.Linear(2, 3))
    x, y = blobs(32)
    trainer = Trainer(model, "cross_entropy", optim.SGD(model.parameters(), lr=0.0), parts=4)
    trainer.fit((x, y), epochs=1, batch_size=32, shuffle=False, verbose=False)
    variances = np.stack([part.var(axis=0, ddof=1) for part in np.split(x, 4)]).mean(axis=0)
    np.testing.assert_allclose(norm.running_mean.numpy(), 0.1 * x.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(norm.running_var.numpy(), 0.9 + 0.1 * variances, rtol=1e-4)


def test_each_part_draws_its_own_numbers() -> None:
    """And the next batch others: the count moves on by what one part draws."""

    class Noise(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kept = nn.Linear(1, 1)
            self.drop = nn.Dropout(0.5)

        def forward(self, x: Any) -> Any:
            return self.drop(x) + 0.0 * self.kept(x)

    manual_seed(0)
    model = Noise()
    # The loss says which rows were kept: a part has four, and so has each digit.
    trainer = Trainer(model, lambda z, y: (z * y).sum(), optim.SGD(model.parameters(), lr=0.1),
                      parts=4)  # fmt: skip
    places = (2.0 ** np.arange(16))[:, None]
    source, _ = trainer.read((np.ones((16, 1), np.float32), places.astype(np.float32)))
    steps = np.arange(16, dtype=np.int32)[None].repeat(8, axis=0)
    losses = trainer.stepper.run(source, steps) / 2.0  # what is kept counts twice
    digits = [[int(loss) >> 4 * part & 15 for part in range(4)] for loss in losses]
    assert len({tuple(masks) for masks in digits}) == 8
    assert sum(len(set(masks)) > 1 for masks in digits) > 6


def test_a_training_resumes_within_a_group(tmp_path: Path) -> None:
    """Sums of a group that is under way are part of the state."""
    data = blobs(150)
    whole = trainer_of(4, accumulate=3)
    whole.fit(data, epochs=2, batch_size=16, verbose=False)

    checkpoints = Checkpoints(tmp_path, every=1, keep=100)
    first = trainer_of(4, accumulate=3)
    first.fit(data, epochs=1, batch_size=16, verbose=False, checkpoints=checkpoints)
    for path in tmp_path.glob("*"):
        if path.name[:6].isdigit() and int(path.name[:6]) > 5:  # two batches of the second group
            path.unlink()
    again = trainer_of(4, accumulate=3)
    again.fit(data, epochs=2, batch_size=16, verbose=False, checkpoints=checkpoints, resume=True)
    for x, y in zip(weights(whole), weights(again), strict=True):
        np.testing.assert_array_equal(x, y)

    other = trainer_of(1, accumulate=3)
    with pytest.raises(StateError, match="parts 4, now 1"):
        other.fit(data, epochs=3, batch_size=16, checkpoints=checkpoints, resume=True)


def test_what_cannot_be_divided_is_refused() -> None:
    model = nn.Linear(2, 1)
    with pytest.raises(ConfigError, match="LBFGS cannot be combined with parts"):
        Trainer(model, "mse", optim.LBFGS(model.parameters()), parts=2)
    for parts in (17, -1, 2.5, "many"):
        with pytest.raises(ConfigError, match="parts is"):
            Trainer(model, "mse", optim.SGD(model.parameters(), lr=0.1), parts=parts)  # type: ignore[arg-type]


def test_a_trainer_with_its_own_step_is_refused() -> None:
    class Own(Trainer):
        def train_step(self, *arrays: Any) -> Any:
            return super().train_step(*arrays)

    model = nn.Linear(2, 1)
    with pytest.raises(ConfigError, match="its own train_step"):
        Own(model, "mse", optim.SGD(model.parameters(), lr=0.1), parts=2)


def test_that_rows_of_several_lengths_are_not_observed_is_said() -> None:
    x = np.ones((8, 4), np.float32)
    source = Padded((x, np.ones((8, 1), np.float32)), np.tile([2, 4], 4), (2, 4), (True, False))
    model = Sums()
    trainer = Trainer(model, "mse", optim.SGD(model.parameters(), lr=0.1), parts=2)
    trainer.fit(source, epochs=1, batch_size=8, verbose=False)
    assert not trainer.messages
    trainer.fit(source, epochs=1, batch_size=8, verbose=False, observe="basic")
    assert trainer.messages == [
        "layers are not observed: rows have lengths, and batches are in parts"
    ]
    assert not trainer.observations
