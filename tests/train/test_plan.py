"""Batches of rows of like length: which rows they hold, and that nothing else depends on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.errors import ConfigError, DataError, ShapeError, StateError
from chainrule.frontend import manual_seed
from chainrule.frontend.compiled import engine
from chainrule.frontend.interpreted import interpreter_backend
from chainrule.runtime.processors import get_num_threads, set_num_threads
from chainrule.train import Callback, Checkpoints, Padded, Trainer, bounds_for
from chainrule.train.batch_source import MOST_LENGTHS, by_length, host_batch
from chainrule.train.order import Order
from chainrule.train.plan import batches
from chainrule.train.stepper import CallStepper
from train.problems_small import weights
from train.sources import Ragged, ragged

LONGEST = 24


class Reader(nn.Module):
    """The mean of what is known of each row, squashed: it respects lengths."""

    def __init__(self) -> None:
        super().__init__()
        self.widths: set[int] = set()
        self.inner = nn.Linear(1, 4)
        self.outer = nn.Linear(4, 1)

    def forward(self, x: cr.Tensor, lengths: cr.Tensor) -> cr.Tensor:
        self.widths.add(x.shape[1])
        hidden = self.inner(x.unsqueeze(2)).tanh()
        known = (cr.arange(x.shape[1]) < lengths.unsqueeze(1)).float().unsqueeze(2)
        out: cr.Tensor = self.outer((hidden * known).sum(1) / lengths.float().unsqueeze(1))
        return out


class Echo(nn.Module):
    """Gives back the row, scaled: outputs as long as the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Linear(1, 1, bias=False)

    def forward(self, x: cr.Tensor, lengths: cr.Tensor) -> cr.Tensor:
        out: cr.Tensor = self.scale(x.unsqueeze(2)).squeeze(2)
        return out


def padded(rows: int = 75, bounds: tuple[int, ...] | None = None, seed: int = 0) -> Padded:
    arrays, lengths = ragged(rows, LONGEST, seed)
    bounds = bounds_for(lengths, 4) if bounds is None else bounds
    return Padded(arrays, lengths, bounds, (True, False, False))


def trainer_of(model: nn.Module | None = None, **settings: Any) -> Trainer:
    manual_seed(0)
    model = model or Reader()
    return Trainer(model, "mse", optim.Adam(list(model.parameters()), lr=0.02), ["r2"], **settings)


def outcome(trainer: Trainer, source: Any, **settings: Any) -> list[Any]:
    """Everything that a training leaves, bit by bit."""
    held_out = padded(40, seed=1)
    settings = {"epochs": 3, "batch_size": 8, "verbose": False, **settings}
    history = trainer.fit(source, validation=held_out, **settings)
    numbers = [history.to_dict(), trainer.evaluate(held_out)]
    return [*numbers, trainer.predict(held_out).tobytes(), *(w.tobytes() for w in weights(trainer))]


class EachBatch(Callback):
    def on_train_batch_end(self, batch: int, logs: Any) -> None: ...


# --------------------------------------------------------------------------------- the plan


@pytest.mark.parametrize("batch", [1, 8, 75, None])
@pytest.mark.parametrize("bounds", [(24,), (6, 24), (2, 3, 5, 8, 12, 16, 20, 24)])
def test_every_row_once_in_batches_of_one_size(batch: int | None, bounds: tuple[int, ...]) -> None:
    source, order = padded(bounds=bounds), Order.of(75, batch, 3, True)
    blocks = batches(source, order, 5)
    assert sorted(np.concatenate([b.ravel() for b in blocks]).tolist()) == list(range(75))
    assert [b.shape for b in blocks] == [b.shape for b in order.batches(5)]
    assert all(b.dtype == np.int32 for b in blocks)
    assert len({piece.length for b in blocks for piece, _ in by_length(source, b)}) <= len(bounds)  # type: ignore[attr-defined]


def test_a_plan_is_a_function_of_seed_and_epoch() -> None:
    def plan(seed: int, epoch: int) -> list[list[list[int]]]:
        return [b.tolist() for b in batches(padded(), Order.of(75, 8, seed, True), epoch)]

    order = Order.of(75, 8, 3, True)
    one_after_the_other = [batches(padded(), order, epoch)[0].tolist() for epoch in range(3)]
    assert one_after_the_other[2] == plan(3, 2)[0]
    assert plan(3, 2) == plan(3, 2)
    assert plan(3, 2) != plan(3, 1)
    assert plan(3, 2) != plan(4, 2)


def test_rows_of_like_length_come_together() -> None:
    """Of each length, fewer rows than a batch are read with longer ones."""
    source = padded(400)
    longer = 0
    for piece, rows in by_length(source, batches(source, Order.of(400, 8, 0, True), 0)[0]):
        longer += int((source.keys(rows) < source.bounds.index(piece.length)).sum())  # type: ignore[attr-defined]
    assert longer < 8 * len(source.bounds)
    keys = source.keys(batches(source, Order.of(400, 8, 0, True), 0)[0]).max(axis=1)
    assert np.count_nonzero(np.diff(keys)) > len(
        source.bounds
    )  # long batches are not all at the end


def test_without_lengths_the_order_is_as_it_was() -> None:
    order = Order.of(75, 8, 3, True)
    for source in (padded(bounds=(LONGEST,)), Ragged(*ragged(75, LONGEST)).at(LONGEST)):
        for planned, plain in zip(batches(source, order, 1), order.batches(1), strict=True):
            np.testing.assert_array_equal(planned, plain)


def test_bounds_have_the_least_padding() -> None:
    assert bounds_for([3, 3, 3]) == (3,)
    assert bounds_for([1, 2, 9, 10], 2) == (2, 10)
    assert bounds_for([1, 2, 9, 10]) == (1, 2, 9, 10)
    assert bounds_for([1, 2, 99, 100]) == (2, 100)  # a third one would hardly save anything
    lengths = np.random.default_rng(0).integers(1, 12, 60)

    def padding(bounds: tuple[int, ...]) -> int:
        return int((np.array(bounds)[np.searchsorted(bounds, lengths)] - lengths).sum())

    every = [(a, b, 11) for a in range(1, 11) for b in range(a + 1, 11)]
    assert padding(bounds_for(lengths, 3)) == min(map(padding, every))
    many = bounds_for(2.0 ** np.linspace(3, 16, 5000))
    assert len(many) == MOST_LENGTHS
    assert many[-1] == 2**16
    even = bounds_for(np.arange(1, 5000))
    assert even[-1] == 4999
    assert np.diff([0, *even]).max() < 1.1 * 4999 / len(even)


# ------------------------------------------------------------------------------- in training


def test_short_rows_do_not_compute_the_padding_of_long_ones() -> None:
    source = padded()
    trainer = trainer_of()
    trainer.fit(source, epochs=4, batch_size=8, verbose=False)
    assert isinstance(trainer.model, Reader)
    assert trainer.model.widths == set(source.bounds)
    assert len(trainer.stepper._recordings) <= len(source.bounds) + 1  # type: ignore[attr-defined]


def test_lengths_are_respected() -> None:
    """Outputs and gradients are those of rows without padding."""
    source = padded(20)
    trainer = trainer_of()
    outputs = trainer.predict(source)
    (x, lengths, _), model = source.arrays, trainer.model
    for i, n in enumerate(lengths.tolist()):
        alone = model(cr.tensor(x[i : i + 1, :n]), cr.tensor(lengths[i : i + 1]))
        np.testing.assert_allclose(alone.numpy(), outputs[i : i + 1], rtol=1e-5, atol=1e-6)
    whole = padded(20, bounds=(LONGEST,))
    assert trainer.gradient_norm(source) == pytest.approx(trainer.gradient_norm(whole), rel=1e-5)


def test_outputs_and_targets_as_long_as_the_batch_are_filled_up() -> None:
    (x, lengths, _), _ = ragged(30, LONGEST)
    source = Padded((x, lengths, x), lengths, (6, 12, LONGEST), (True, False, True))
    source.padding = -100
    trainer = trainer_of(Echo())
    outputs, target = trainer._evaluated(source, 16)
    assert outputs.shape == target.shape == x.shape
    for row, wanted, out, n in zip(target, x, outputs, lengths.tolist(), strict=True):
        read = next(b for b in source.bounds if n <= b)
        assert (row[read:] == -100).all()
        assert (out[read:] == 0).all()
        np.testing.assert_array_equal(row[:n], wanted[:n])
    few = np.array([7, 3, 3, 21], np.int32)
    np.testing.assert_array_equal(trainer._evaluated(source, 2, few)[0][:, :6], outputs[few][:, :6])


@pytest.mark.parametrize("accumulate", [1, 3])
def test_batches_one_by_one_give_the_same_bits(accumulate: int) -> None:
    together = outcome(trainer_of(accumulate=accumulate), padded())
    assert outcome(trainer_of(accumulate=accumulate), padded(), callbacks=[EachBatch()]) == together
    assert together[0]["loss"][-1] < together[0]["loss"][0]


def test_any_number_of_threads_gives_the_same_bits() -> None:
    before, outcomes = get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            set_num_threads(threads)
            outcomes.append(outcome(trainer_of(), padded(), epochs=2))
    finally:
        set_num_threads(before)
    assert outcomes[0] == outcomes[1] == outcomes[2]


@pytest.mark.parametrize("interpreted", [False, True])
def test_calls_of_the_compiled_step(interpreted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    together = outcome(trainer_of(), padded())
    monkeypatch.setattr("chainrule.train.learner.make_stepper", CallStepper)
    if not interpreted:
        assert outcome(trainer_of(), padded()) == together
        return
    monkeypatch.setattr("chainrule.train.evaluation.make_reader", CallStepper)
    monkeypatch.setattr(engine, "backend", interpreter_backend)
    history = outcome(trainer_of(), padded())[0]
    np.testing.assert_allclose(history["loss"], together[0]["loss"], rtol=1e-4)


def test_rows_out_of_one_long_array() -> None:
    """A source that gathers what is needed gives the bits of one that cuts."""
    arrays, lengths = ragged(75, LONGEST)
    bounds = bounds_for(lengths, 4)
    gathered = outcome(trainer_of(), Ragged(arrays, lengths, bounds))
    assert gathered == outcome(trainer_of(), padded())


class Stop(Callback):
    """Ends a training within an epoch, as Ctrl-C would."""

    def on_train_batch_end(self, batch: int, logs: Any) -> None:
        if batch == 4:
            raise KeyboardInterrupt


def test_a_training_goes_on_within_an_epoch(tmp_path: Path) -> None:
    def fit(checkpoints: Checkpoints | None, resume: bool, callbacks: Any = ()) -> Trainer:
        trainer = trainer_of()
        trainer.fit(
            padded(), epochs=3, batch_size=8, verbose=False, checkpoints=checkpoints,
            resume=resume, callbacks=callbacks,
        )  # fmt: skip
        return trainer

    whole = fit(None, False)
    with pytest.raises(KeyboardInterrupt):
        fit(Checkpoints(tmp_path, every=3), False, [Stop()])
    resumed = fit(Checkpoints(tmp_path, every=3), True)
    assert resumed.history.to_dict() == whole.history.to_dict()
    for ours, theirs in zip(weights(resumed), weights(whole), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    other = trainer_of()
    with pytest.raises(StateError, match=r"the interrupted training had lengths \["):
        other.fit(
            padded(bounds=(12, LONGEST)), epochs=4, batch_size=8, verbose=False,
            checkpoints=Checkpoints(tmp_path, every=3), resume=True,
        )  # fmt: skip


def test_diagnoses() -> None:
    trainer, source = trainer_of(), padded()
    before = [w.tobytes() for w in weights(trainer)]
    assert len(trainer.lr_find(source, batch_size=8, steps=20).losses) >= 10
    assert trainer.overfit_batch(source, 20, 8).losses.shape == (20,)
    assert [w.tobytes() for w in weights(trainer)] == before


def test_an_optimizer_that_asks_for_the_loss() -> None:
    manual_seed(0)
    model = Reader()
    search = optim.LBFGS(list(model.parameters()), line_search_fn="strong_wolfe", max_iter=3)
    losses = Trainer(model, "mse", search).fit(padded(), epochs=2, batch_size=None, verbose=False)
    assert losses["loss"][1] < losses["loss"][0]


def test_a_batch_on_the_host_is_as_long_as_it_needs() -> None:
    source = padded(bounds=(4, 10, LONGEST))
    short = np.flatnonzero(source.lengths <= 4)[:2].astype(np.int32)
    assert host_batch(source, short)[0].shape == (2, 4)


# -------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"bounds": (12, 6, 24)}, ConfigError, "are read at the lengths 12, 6, 24"),
        ({"bounds": tuple(range(16, 25))}, ConfigError, "at the lengths 16, 17"),
        ({"bounds": ()}, ConfigError, "at the lengths"),
        ({"bounds": (3, 4)}, DataError, "is 24 long, and none is read further than 4"),
        (
            {"lengths": np.ones(3, np.int32)},
            ShapeError,
            r"has 75 rows, and lengths of shape \(3,\)",
        ),
    ],
)
def test_lengths_that_cannot_be(changes: dict[str, Any], kind: type[Exception], words: str) -> None:
    arrays, lengths = ragged(75, LONGEST)
    source = Ragged(arrays, lengths, (LONGEST,))
    vars(source).update(changes)
    with pytest.raises(kind, match=words):
        trainer_of().fit(source, epochs=1, verbose=False)


def test_arrays_that_are_not_padded() -> None:
    arrays, lengths = ragged(5, 6)
    with pytest.raises(ShapeError, match=r"array 0 has shape \(5, 6\), but rows are read up to 8"):
        Padded(arrays, lengths, (3, 8), (True, False, False))
