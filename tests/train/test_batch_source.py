"""What a step reads need not be rows of arrays: the same bits as if it had been unrolled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.errors import DataError, DTypeError, ShapeError, TrainingError
from chainrule.frontend import default_generator, manual_seed
from chainrule.frontend.compiled import engine
from chainrule.frontend.interpreted import interpreter_backend
from chainrule.ir.types import DType
from chainrule.train import Callback, Trainer
from chainrule.train.batch_source import BatchSource, calls, host_batch, peek, spread_rows
from chainrule.train.callbacks import DivergenceGuard
from chainrule.train.diagnosis.gradcheck import compare_gradients
from chainrule.train.examples import Examples
from chainrule.train.stepper import CallStepper, make_reader, make_stepper
from train.problems_small import weights
from train.sources import Crops, Windows, tones, wave

WIDTH = 8
Make = Callable[[list[cr.Tensor]], optim.Optimizer]


def forecaster(make: Make | None = None, **settings: Any) -> Trainer:
    manual_seed(0)
    model = nn.Sequential(nn.Linear(WIDTH, 12), nn.Tanh(), nn.Linear(12, 1))
    make = make or (lambda ps: optim.Adam(ps, lr=0.02))
    return Trainer(model, "mse", make(list(model.parameters())), ["r2"], **settings)


class Listener(nn.Module):
    """Hears int16 and converts it inside of the step; remembers what it was given."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dtypes: set[Any] = set()
        self.rows: set[int] = set()
        self.inner = nn.Sequential(nn.Linear(width, 8), nn.ReLU(), nn.Linear(8, 2))

    def forward(self, sound: cr.Tensor) -> cr.Tensor:
        self.dtypes.add(sound.dtype)
        self.rows.add(sound.shape[0])
        out: cr.Tensor = self.inner(sound.float() / 2.0**15)
        return out


def classifier(width: int) -> Trainer:
    manual_seed(0)
    model = Listener(width)
    return Trainer(model, "cross_entropy", optim.Adam(model.parameters(), lr=0.02), ["accuracy"])


class EachBatch(Callback):
    def on_train_batch_end(self, batch: int, logs: Any) -> None: ...


def outcome(trainer: Trainer, data: Any, held_out: Any, **settings: Any) -> list[Any]:
    """Everything that a training leaves, bit by bit."""
    settings = {"epochs": 3, "batch_size": 32, "verbose": False, **settings}
    history = trainer.fit(data, validation=held_out, **settings)
    predicted = trainer.predict(held_out[0] if isinstance(held_out, tuple) else held_out)
    numbers = [history.to_dict(), trainer.evaluate(held_out)]
    return [*numbers, predicted.tobytes(), *(w.tobytes() for w in weights(trainer))]


def both(make: Callable[[], Trainer], **settings: Any) -> tuple[list[Any], list[Any]]:
    """The outcome of training on windows, and on the unrolled windows."""
    train, held_out = Windows(wave(), WIDTH), Windows(wave()[60:], WIDTH)
    unrolled = outcome(make(), train.unrolled(), held_out.unrolled(), **settings)
    return outcome(make(), train, held_out, **settings), unrolled


def test_windows_are_a_source_and_arrays_are_not() -> None:
    assert isinstance(Windows(wave(), WIDTH), BatchSource)
    assert isinstance(Examples((wave(),)), BatchSource)
    assert not isinstance((wave(), wave()), BatchSource)
    assert not isinstance(wave(), BatchSource)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_windows_train_as_if_they_were_unrolled(accumulate: int) -> None:
    windows, unrolled = both(lambda: forecaster(accumulate=accumulate))
    assert windows == unrolled
    assert windows[0]["loss"][-1] < windows[0]["loss"][0]


def test_batches_one_by_one_give_the_same_bits() -> None:
    windows, unrolled = both(forecaster, callbacks=[EachBatch(), DivergenceGuard()])
    assert windows == unrolled == both(forecaster)[0]


def test_an_optimizer_that_asks_for_the_loss() -> None:
    def make() -> Trainer:
        return forecaster(lambda ps: optim.LBFGS(ps, line_search_fn="strong_wolfe", max_iter=3))

    windows, unrolled = both(make, batch_size=None)
    assert windows == unrolled


@pytest.mark.parametrize("interpreted", [False, True])
def test_calls_of_the_compiled_step(interpreted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainrule.train.learner.make_stepper", CallStepper)
    monkeypatch.setattr("chainrule.train.evaluation.make_reader", CallStepper)
    if interpreted:
        monkeypatch.setattr(engine, "backend", interpreter_backend)
    windows, unrolled = both(forecaster)
    assert windows == unrolled
    if not interpreted:
        monkeypatch.setattr("chainrule.train.learner.make_stepper", make_stepper)
        monkeypatch.setattr("chainrule.train.evaluation.make_reader", make_reader)
        assert windows == both(forecaster)[0]


def test_windows_of_another_width_are_another_program() -> None:
    """The arrays are of one shape: what `take` does makes the difference."""
    means: list[float] = []
    trainer = forecaster()
    stepper = trainer.stepper_of(lambda x, y: x.mean() + 0.0 * y.sum())
    series = np.arange(40, dtype=np.float32)
    for width in (2, 4, 2):
        source = Windows(series, width)
        means += stepper.run(source, np.zeros((1, 3), np.int32)).tolist()
    assert means == [0.5, 1.5, 0.5]


def test_diagnoses_look_at_windows() -> None:
    source = Windows(wave(), WIDTH)
    results = []
    for data in (source, source.unrolled()):
        trainer = forecaster()
        results.append(
            [
                trainer.gradient_norm(data),
                trainer.lr_find(data).losses.tolist(),
                trainer.overfit_batch(data, 20).losses.tolist(),
                [c.backpropagated for c in compare_gradients(trainer, data)],
            ]
        )
    assert results[0] == results[1]


def test_a_loss_that_is_not_finite_names_the_windows() -> None:
    series = wave()
    series[70] = np.nan
    # Window 62 is the first that has it, as the value to predict.
    with pytest.raises(TrainingError, match=r"contains nan.*of the data: 62\)"):
        forecaster().fit(
            Windows(series, WIDTH), epochs=1, batch_size=1, shuffle=False, verbose=False
        )


# -------------------------------------------------------------------------------------- crops


def test_crops_of_int16_train_as_their_arrays_do() -> None:
    sound, labels = tones()
    cropped = (np.ascontiguousarray(sound[:, :16]), labels)
    crops = classifier(16)
    source = Crops(sound, labels, 16)
    assert outcome(crops, source, source) == outcome(classifier(16), cropped, cropped)
    assert isinstance(crops.model, Listener)
    assert crops.model.dtypes == {DType.i16}
    assert crops.evaluate(source)["accuracy"] > 0.7


def test_random_crops_are_drawn_in_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    sound, labels = tones()
    train, held_out = Crops(sound, labels, 16, anywhere=True), Crops(sound, labels, 16)

    def trained(**settings: Any) -> list[Any]:
        trainer = classifier(16)
        return outcome(trainer, train, held_out, **settings)

    together, one_by_one = trained(), trained(callbacks=[EachBatch()])
    assert together == one_by_one
    assert together != outcome(classifier(16), held_out, held_out)
    monkeypatch.setattr("chainrule.train.learner.make_stepper", CallStepper)
    assert trained() == together


def test_a_look_at_data_draws_nothing() -> None:
    sound, labels = tones()
    source = Crops(sound, labels, 16, anywhere=True)
    before = default_generator.get_state()
    rows = np.arange(4, dtype=np.int32)
    crops, classes = peek(source, rows)
    assert crops.dtype == np.int16
    assert classes.tolist() == labels[:4].tolist()
    assert default_generator.get_state() == before
    assert host_batch(source, rows)[0].tolist() == crops.tolist()
    assert default_generator.get_state() != before


# -------------------------------------------------------------------------------------- int16


def test_int16_stays_until_the_step() -> None:
    sound, labels = tones()
    trainer = classifier(40)
    trainer.fit((sound, labels.astype(np.int16)), epochs=20, verbose=False)
    assert trainer.run is not None
    source = trainer.run.train
    assert [a.dtype.name for a in source.arrays] == ["int16", "int32"]
    assert source.arrays[0] is sound
    assert source.bytes_per_row == 2 * 40 + 4
    model = trainer.model
    assert isinstance(model, Listener)
    assert model.dtypes == {DType.i16}
    assert trainer.evaluate((sound, labels))["accuracy"] > 0.9


def test_a_model_of_real_numbers_takes_int16_too() -> None:
    x = np.random.default_rng(0).integers(-3, 4, (64, 2)).astype(np.int16)
    losses = []
    for given in (x, x.astype(np.float32)):
        manual_seed(0)
        model = nn.Linear(2, 1)
        trainer = Trainer(model, "mse", optim.SGD(model.parameters(), lr=0.05))
        losses.append(trainer.fit((given, x[:, 0]), epochs=2, verbose=False)["loss"])
    assert losses[0] == losses[1]


# -------------------------------------------------------------------------------- what is read


class Mapped(Windows):
    """Writes down what is fetched, taken and let go of."""

    def __init__(self, series: np.ndarray[Any, Any], width: int, most: int) -> None:
        super().__init__(series, width)
        self.most = most
        self.log: list[str] = []

    @property
    def bytes_per_call(self) -> int:
        return self.most

    def prefetch(self, rows: np.ndarray[Any, Any]) -> None:
        self.log.append(f"fetch {rows.ravel().tolist()}")

    def release(self) -> None:
        self.log.append("release")


def test_calls_read_no_more_than_they_may() -> None:
    source = Mapped(wave(), WIDTH, most=4 * 36)  # four windows
    rows = np.arange(10, dtype=np.int32).reshape(5, 2)
    for piece in calls(source, rows):
        source.log.append(f"run {piece.ravel().tolist()}")
    assert source.log == [
        "fetch [4, 5, 6, 7]", "run [0, 1, 2, 3]", "release",
        "fetch [8, 9]", "run [4, 5, 6, 7]", "release",
        "run [8, 9]", "release",
    ]  # fmt: skip
    source.most = 1  # less than a batch: a step at a time
    assert [len(piece) for piece in calls(source, rows)] == [1] * 5


def test_a_source_read_in_parts_gives_the_same_bits() -> None:
    def read_in(most: int) -> list[Any]:
        train, held_out = Mapped(wave(), WIDTH, most), Mapped(wave()[60:], WIDTH, most)
        numbers = outcome(forecaster(), train, held_out)
        assert train.log.count("release") > 3
        return numbers

    assert read_in(2000) == read_in(10**6) == both(forecaster)[0]


class FewCrops(Crops):
    """Wants to be evaluated sixteen rows at a time."""

    @property
    def evaluation_rows(self) -> int:
        return 16


def test_evaluation_takes_as_few_rows_as_the_source_asks_for() -> None:
    source, trainer = Crops(*tones(), 16), classifier(16)
    assert isinstance(trainer.model, Listener)
    whole = trainer.predict(source)
    assert max(trainer.model.rows) == 64
    trainer.model.rows.clear()
    np.testing.assert_allclose(trainer.predict(FewCrops(*tones(), 16)), whole, rtol=1e-5, atol=1e-6)
    assert trainer.model.rows == {16}


def test_rows_spread_evenly() -> None:
    assert spread_rows(10, 4).tolist() == [0, 3, 6, 9]
    assert spread_rows(3, 4).tolist() == [0, 1, 2]


# ----------------------------------------------------------------------------------- mistakes


def test_predictions_need_no_target() -> None:
    labelled = Windows(wave(), WIDTH)

    class Bare(Windows):
        labelled = False

        def take(self, arrays: Any, rows: cr.Tensor) -> Any:
            return super().take(arrays, rows)[:1]

    bare = Bare(wave(), WIDTH)
    bare.recipe = "bare"
    trainer = forecaster()
    np.testing.assert_array_equal(trainer.predict(bare), trainer.predict(labelled))
    with pytest.raises(DataError, match="the training data has no target"):
        trainer.fit(bare, verbose=False)


def test_sources_that_cannot_be() -> None:
    trainer = forecaster()
    with pytest.raises(DTypeError, match="array 0 of the training data is float64"):
        trainer.fit(Windows(wave().astype(np.float64), WIDTH), verbose=False)
    with pytest.raises(DTypeError, match="not in C order"):
        trainer.fit(Windows(np.repeat(wave(), 2)[::2], WIDTH), verbose=False)
    with pytest.raises(DataError, match="the training data is empty"):
        trainer.fit(Windows(wave()[:WIDTH], WIDTH), verbose=False)


def test_training_and_validation_look_alike() -> None:
    class Mean(nn.Linear):
        def forward(self, x: cr.Tensor) -> cr.Tensor:
            return super().forward(x.mean(1, keepdim=True))

    model = Mean(1, 1)
    trainer = Trainer(model, "mse", optim.SGD(model.parameters(), lr=0.1))
    with pytest.raises(ShapeError, match=r"shape \(8,\), but those of the validation"):
        trainer.fit(Windows(wave(), WIDTH), validation=Windows(wave(), 5), verbose=False)


class Flat(Windows):
    """Forgets the axis of the outputs."""

    def take(self, arrays: Any, rows: cr.Tensor) -> Any:
        x, y = super().take(arrays, rows)
        return x, y.squeeze(1)


def test_a_target_must_be_as_the_loss_takes_it() -> None:
    with pytest.raises(
        ShapeError, match=r"the loss needs float32 of shape \('rows', 1\)"
    ) as caught:
        forecaster().fit(Flat(wave(), WIDTH), verbose=False)
    assert "target.unsqueeze(1)" in str(caught.value.help)


def test_a_class_that_does_not_exist_is_found_in_any_row() -> None:
    sound, labels = tones()
    labels[57] = 2
    with pytest.raises(DataError, match="holds 2, but the model has 2 outputs") as caught:
        classifier(16).fit(Crops(sound, labels, 16), verbose=False)
    assert caught.value.where == "row 57"


class NextWord(Windows):
    def take(self, arrays: Any, rows: cr.Tensor) -> Any:
        words, following = super().take(arrays, rows)
        return words, following.squeeze(1)


def test_a_word_beyond_the_vocabulary_is_found_in_any_window() -> None:
    manual_seed(0)
    model = nn.Sequential(nn.Embedding(6, 4), nn.Flatten(), nn.Linear(12, 9))
    trainer = Trainer(model, "cross_entropy", optim.SGD(model.parameters(), lr=0.1))
    words = np.random.default_rng(0).integers(0, 6, 90).astype(np.int32)
    trainer.fit(NextWord(words, 3), epochs=1, verbose=False)
    words[50] = 7
    with pytest.raises(ShapeError, match="index 7 leaves axis 0 of length 6") as caught:
        trainer.fit(NextWord(words, 3), epochs=1, verbose=False)
    assert "row 48 of the training data" in caught.value.where


def test_evaluation_reads_windows_inside_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bits of the unrolled windows, by few calls, none of which runs `take` on the host."""
    trainer, windows = forecaster(), Windows(wave(), WIDTH)
    plain = trainer.evaluate(windows.unrolled(), batch_size=16)
    rows = np.arange(7, 90, 3, dtype=np.int32)
    few = trainer.evaluate_source(windows, 8, rows)
    taken: list[Any] = []
    take = Windows.take

    def counting(self: Windows, arrays: Any, rows: cr.Tensor) -> Any:
        taken.append(rows)
        return take(self, arrays, rows)

    trainer.evaluate(windows, batch_size=16)  # the checks of data look at a row of it
    monkeypatch.setattr(Windows, "take", counting)
    assert trainer.evaluate_source(windows, 16) == plain
    assert trainer.evaluate_source(windows, 8, rows) == few
    assert taken == []
    unrolled, target = windows.unrolled()
    assert few == trainer.evaluate((unrolled[rows], target[rows]), batch_size=8)
    outputs = trainer.outputs(windows, 16)
    np.testing.assert_array_equal(outputs, trainer.predict(unrolled, batch_size=16))
