"""The trainer learns, repeats itself to the bit, and says early what cannot work."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import nn, optim
from chainrule.errors import ConfigError, DataError, ShapeError, TrainingError
from chainrule.frontend import Tensor, manual_seed
from chainrule.frontend.operations.shaping import cat
from chainrule.train import Callback, EarlyStopping, Trainer
from train.problems_small import blob_trainer, blobs, line, linear_trainer, weights


def test_xor_with_integer_inputs() -> None:
    manual_seed(1)
    model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    trainer = Trainer(
        model, "bce_with_logits", optim.Adam(model.parameters(), lr=0.05), ["accuracy"]
    )
    x, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
    history = trainer.fit((x, y), epochs=200, batch_size=None, verbose=False)
    assert trainer.evaluate((x, y))["accuracy"] == 1.0
    assert history["accuracy"][-1] == 1.0
    assert history["loss"][-1] < 0.1 * history["loss"][0]
    assert trainer.scores(x).labels.ravel().tolist() == [0, 1, 1, 0]


def test_classes() -> None:
    trainer = blob_trainer(metrics=["accuracy", "f1_macro", "roc_auc"])
    history = trainer.fit(blobs(), validation=blobs(100, seed=1), epochs=15, verbose=False)
    assert list(history) == ["loss", "val_loss", "val_accuracy", "val_f1_macro", "val_roc_auc"]
    assert history["val_accuracy"][-1] >= 0.97
    assert history["val_roc_auc"][-1] >= 0.99
    assert trainer.predict(blobs(7)[0]).shape == (7, 3)


def test_line_is_found() -> None:
    trainer = linear_trainer(metrics=["r2", "rmse"])
    trainer.fit(line(), epochs=30, batch_size=20, verbose=False)
    w, b = weights(trainer)
    np.testing.assert_allclose(w, [[3, -2]], atol=1e-4)
    np.testing.assert_allclose(b, [1], atol=1e-4)
    assert trainer.evaluate(line(50, seed=1))["r2"] > 0.9999


@pytest.mark.parametrize("batch", [1, 7, None])
def test_each_row_counts_once_whatever_the_batch(batch: int | None) -> None:
    """With lr 0 the epoch's loss is the mean over all rows, the short last batch included."""
    trainer = linear_trainer(lr=0.0)
    x, y = line(33)
    history = trainer.fit((x, y), epochs=2, batch_size=batch, verbose=False)
    w, b = weights(trainer)
    expected = np.mean((x @ w[0] + b[0] - y) ** 2)
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-5)
    assert trainer.evaluate((x, y))["loss"] == pytest.approx(expected, rel=1e-5)


def test_one_batch_is_one_step_of_gradient_descent() -> None:
    trainer = linear_trainer(lr=0.1)
    x, y = line(40)
    w, b = weights(trainer)
    residual = x @ w[0] + b[0] - y
    trainer.fit((x, y), epochs=1, batch_size=None, verbose=False)
    after = weights(trainer)
    np.testing.assert_allclose(after[0][0], w[0] - 0.2 * (residual @ x) / 40, rtol=1e-5)
    np.testing.assert_allclose(after[1][0], b[0] - 0.2 * residual.mean(), rtol=1e-5)


def test_same_seed_same_bits_and_other_seed_other_bits() -> None:
    def trained(seed: int) -> tuple[list[Any], list[float]]:
        trainer = blob_trainer()
        history = trainer.fit(blobs(), epochs=3, seed=seed, verbose=False)
        return weights(trainer), history["loss"]

    (w, losses), (again, same), (other, _) = trained(0), trained(0), trained(1)
    assert losses == same
    for a, b in zip(w, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(not np.array_equal(a, b) for a, b in zip(w, other, strict=True))


class EachBatch(Callback):
    def __init__(self) -> None:
        self.losses: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any) -> None:
        self.losses.append(logs["loss"])


class EachEpoch(Callback):
    def on_epoch_end(self, epoch: int, logs: Any) -> None:
        return


@pytest.mark.parametrize("rows", [160, 150])
def test_callbacks_never_change_the_numbers(rows: int) -> None:
    """Steps may run one by one, an epoch or several epochs in one call: the same bits."""

    def trained(*callbacks: Callback) -> tuple[list[Any], list[float]]:
        trainer = blob_trainer()
        history = trainer.fit(blobs(rows), epochs=4, callbacks=callbacks, verbose=False)
        return weights(trainer), history["loss"]

    batches = EachBatch()
    w, losses = trained()
    for found, same in (trained(batches), trained(EachEpoch())):
        assert same == losses
        for a, b in zip(w, found, strict=True):
            np.testing.assert_array_equal(a, b)
    assert len(batches.losses) == 4 * 5


def test_training_mode_and_evaluation_mode() -> None:
    manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 32), nn.Dropout(0.5), nn.Linear(32, 3))
    trainer = Trainer(model, "cross_entropy", optim.SGD(model.parameters(), lr=0.0))
    data = blobs()
    history = trainer.fit(data, validation=data, epochs=2, verbose=False)
    assert history["val_loss"][0] == history["val_loss"][1]
    assert history["loss"][0] != history["loss"][1]
    np.testing.assert_array_equal(trainer.predict(data[0]), trainer.predict(data[0]))
    assert model.training


@pytest.mark.parametrize("rows", [1, 5, 8, 21])
def test_predictions_do_not_depend_on_blocks(rows: int) -> None:
    trainer = blob_trainer()
    x = blobs(rows)[0]
    whole = trainer.predict(x)
    assert whole.shape == (rows, 3)
    np.testing.assert_allclose(trainer.predict(x, batch_size=4), whole, rtol=1e-5, atol=1e-6)


def test_several_inputs() -> None:
    class TwoInputs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(4, 3)
            self.out = nn.Linear(5, 1)

        def forward(self, numeric: Tensor, codes: Tensor) -> Tensor:
            return self.out(cat([numeric, self.embedding(codes)], 1))

    manual_seed(0)
    model = TwoInputs()
    trainer = Trainer(model, "mse", optim.Adam(model.parameters(), lr=0.05))
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, 128)
    numeric = rng.standard_normal((128, 2))
    y = numeric[:, 0] + np.array([0.0, 1.0, -1.0, 2.0])[codes]
    trainer.fit(((numeric, codes), y), epochs=60, verbose=False)
    assert trainer.evaluate(((numeric, codes), y))["loss"] < 0.01


def test_a_subclass_replaces_one_step_of_the_ladder() -> None:
    class Ridge(Trainer):
        def loss(self, outputs: Tensor, target: Tensor) -> Tensor:
            (w,) = [p for p in self.model.parameters() if p.ndim == 2]
            return super().loss(outputs, target) + 1e3 * (w * w).sum()

    manual_seed(0)
    model = nn.Linear(2, 1)
    trainer = Ridge(model, "mse", optim.SGD(model.parameters(), lr=4e-4))
    trainer.fit(line(), epochs=20, verbose=False)
    assert np.abs(weights(trainer)[0]).max() < 0.01


def test_divergence_is_named() -> None:
    trainer = linear_trainer(lr=1e4)
    with pytest.raises(TrainingError, match=r"the loss became (inf|nan)") as raised:
        trainer.fit(line(), epochs=50, batch_size=20, callbacks=[EachEpoch()], verbose=False)
    assert "of 10" in raised.value.where
    assert "it is 10000" in raised.value.help
    assert raised.value.exit_code == 3


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (np.array([0, 1, 3, 1]), DataError, "holds 3, but the model has 3 outputs"),
        (np.array([0, 1, -1, 1]), DataError, "holds -1"),
        (np.array([0, 1, 0.5, 1]), DataError, "0.5, which is not a class index"),
        (np.zeros((4, 2), int), ShapeError, "do not match outputs"),
        (np.array([0, 1, np.nan, 1]), DataError, "nan"),
    ],
)
def test_labels_that_cannot_be(y: Any, error: type[Exception], message: str) -> None:
    trainer = blob_trainer()
    before = weights(trainer)
    with pytest.raises(error, match=message):
        trainer.fit((blobs(4)[0], y), epochs=1, verbose=False)
    np.testing.assert_array_equal(weights(trainer)[0], before[0])


def test_labels_in_other_clothes() -> None:
    x, y = blobs()
    losses = {
        blob_trainer().fit((x, given), epochs=1, verbose=False)["loss"][0]
        for given in (y, y.astype(np.float64), y[:, None], y.astype(np.uint8), list(y))
    }
    assert len(losses) == 1


def test_a_target_without_its_unit_axis_is_not_broadcast() -> None:
    """(n,) against outputs (n, 1) would silently train on an n by n difference."""
    trainer = linear_trainer(lr=0.0)
    x, y = line(16)
    flat = trainer.evaluate((x, y))["loss"]
    assert flat == trainer.evaluate((x, y[:, None]))["loss"]
    with pytest.raises(ShapeError, match="do not match outputs"):
        trainer.evaluate((x, np.stack([y, y], axis=1)))


def test_probability_targets_must_be_probabilities() -> None:
    trainer = linear_trainer(loss="bce_with_logits")
    with pytest.raises(DataError, match="numbers from 0 to 1"):
        trainer.fit((blobs(4)[0], [0, 1, 2, 1]), verbose=False)


def test_shapes_are_checked_before_the_first_step() -> None:
    trainer = blob_trainer()
    with pytest.raises(ShapeError):
        trainer.fit((np.zeros((10, 5)), np.zeros(10, int)), verbose=False)
    one_output = linear_trainer(loss="cross_entropy")
    with pytest.raises(ShapeError, match="one output"):
        one_output.fit(blobs(), verbose=False)


def test_settings_that_cannot_be() -> None:
    model = nn.Linear(2, 1)
    optimizer = optim.SGD(model.parameters())
    with pytest.raises(ConfigError, match="unknown loss 'cross_entrpy'") as raised:
        Trainer(model, "cross_entrpy", optimizer)
    assert "did you mean 'cross_entropy'" in str(raised.value)
    with pytest.raises(ConfigError, match="the loss is"):
        Trainer(model, nn.MSELoss, optimizer)
    with pytest.raises(ConfigError, match="the optimizer is"):
        Trainer(model, "mse", optim.SGD)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="epochs is -1"):
        Trainer(model, "mse", optimizer).fit(line(), epochs=-1)
    with pytest.raises(ConfigError, match="not a callback"):
        Trainer(model, "mse", optimizer).fit(line(), callbacks=[print])  # type: ignore[list-item]
    for epochs in (None, "3", 2.5, True):
        with pytest.raises(ConfigError, match="epochs is"):
            Trainer(model, "mse", optimizer).fit(line(), epochs=epochs)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="batch_size is 'all'") as raised:
        Trainer(model, "mse", optimizer).fit(line(), batch_size="all")  # type: ignore[arg-type]
    assert "None for all rows" in str(raised.value)
    with pytest.raises(ConfigError, match="seed is None"):
        Trainer(model, "mse", optimizer).fit(line(), seed=None)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="checkpoints is 'folder'"):
        Trainer(model, "mse", optimizer).fit(line(), checkpoints="folder")  # type: ignore[arg-type]


def test_an_optimizer_of_another_model() -> None:
    other = nn.Linear(2, 1)
    with pytest.raises(ConfigError, match="updates none of the model's parameters"):
        Trainer(nn.Linear(2, 1), "mse", optim.SGD(other.parameters()))


def test_one_callback_needs_no_list() -> None:
    model = nn.Linear(2, 1)
    trainer = Trainer(model, "mse", optim.SGD(model.parameters(), lr=0.0))
    stopping = EarlyStopping("loss", patience=2, min_delta=1.0)
    history = trainer.fit(line(), epochs=9, callbacks=stopping, verbose=False)
    assert len(history.epoch) == 3
