"""Two hundred healthy trainings, over all kinds of data: none deserves a warning."""

from __future__ import annotations

import itertools
import wave
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import nn, optim
from chainrule.optim.schedule import Constant, Cosine, OneCycle, Warmup
from chainrule.train import Trainer
from chainrule.train.callbacks import EarlyStopping

from .case import healthy
from .data import people
from .made import classes, mlp, numbers, parts, pictures, run_of, sequences, table, train

Optimizers = dict[str, Callable[[nn.Module], Any]]
OPTIMIZERS: Optimizers = {
    "adam": lambda m: optim.Adam(m.parameters(), lr=2e-3),
    "adamw": lambda m: optim.AdamW(m.parameters(), lr=2e-3, weight_decay=0.01),
    "momentum": lambda m: optim.SGD(m.parameters(), lr=0.03, momentum=0.9),
    "nesterov": lambda m: optim.SGD(m.parameters(), lr=0.03, momentum=0.9, nesterov=True),
    "rmsprop": lambda m: optim.RMSprop(m.parameters(), lr=1e-3),
    "cosine": lambda m: optim.Adam(m.parameters(), lr=Cosine(4e-3, 380)),
    "one cycle": lambda m: optim.Adam(m.parameters(), lr=OneCycle(8e-3, 380)),
    "warm-up": lambda m: optim.Adam(m.parameters(), lr=Warmup(Constant(2e-3), 30)),
}
ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU, "silu": nn.SiLU}


def trained(model: nn.Module, data: Any, loss: str, optimizer: str, **settings: Any) -> Trainer:
    """Twenty epochs at most; the best one's weights are kept."""
    made = OPTIMIZERS[optimizer](model)
    stop = EarlyStopping("val_loss", patience=6, restore_best=True)
    return train(model, data, loss, made, **{"epochs": 20, "callbacks": [stop], **settings})


def dense_classes(seed: int, activation: str, optimizer: str, folder: Path) -> Trainer:
    model = mlp(10, 3, [32, 32], ACTIVATIONS[activation], seed=seed)
    return trained(model, classes(seed, noise=1.0 + 0.1 * (seed % 5)), "cross_entropy", optimizer)


def dense_numbers(seed: int, activation: str, optimizer: str, folder: Path) -> Trainer:
    model = mlp(8, 1, [32, 32], ACTIVATIONS[activation], seed=seed)
    return trained(model, numbers(seed, noise=0.1 * (1 + seed % 4)), "mse", optimizer)


def normalised(
    seed: int, norm: Callable[[int], nn.Module], dropout: float, folder: Path
) -> Trainer:
    cr.manual_seed(seed)
    layers: list[nn.Module] = []
    for width, following in itertools.pairwise([10, 48, 48, 48]):
        layers += [nn.Linear(width, following), norm(following), nn.ReLU(), nn.Dropout(dropout)]
    model = nn.Sequential(*layers, nn.Linear(48, 3))
    return trained(model, classes(seed, noise=1.3), "cross_entropy", "adam")


class Residual(nn.Module):
    """Blocks that are added to what they get."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(10, 32), nn.Linear(32, 3)
        self.blocks = nn.ModuleList(
            [nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32))
             for _ in range(blocks)]
        )  # fmt: skip

    def forward(self, x: cr.Tensor) -> cr.Tensor:
        h = self.first(x)
        for block in self.blocks:
            h = h + block(h)
        return self.last(h)


def residual(seed: int, blocks: int, folder: Path) -> Trainer:
    cr.manual_seed(seed)
    return trained(Residual(blocks), classes(seed), "cross_entropy", "adamw")


def convolutional(seed: int, norm: bool, optimizer: str, folder: Path) -> Trainer:
    cr.manual_seed(seed)
    layers: list[nn.Module] = [
        nn.Conv2d(1, 8, 3),
        *([nn.BatchNorm2d(8)] if norm else []),
        nn.ReLU(),
    ]
    layers += [nn.MaxPool2d(2), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2)]
    return trained(nn.Sequential(*layers), pictures(seed, rows=600), "cross_entropy", optimizer)


class Reader(nn.Module):
    """A recurrent layer, and scores from its mean over time."""

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.rnn, self.out = kind(2, 24, batch_first=True), nn.Linear(24, 2)

    def forward(self, x: cr.Tensor) -> cr.Tensor:
        return self.out(self.rnn(x)[0].mean(1))


def recurrent(seed: int, kind: Any, folder: Path) -> Trainer:
    cr.manual_seed(seed)
    data = sequences(seed, rows=800, length=12)
    return trained(Reader(kind), data, "cross_entropy", "adam", epochs=25)


class Attentive(nn.Module):
    """A transformer block over a short sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(2, 16)
        self.block = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
        self.places = nn.Parameter(
            0.1 * np.random.default_rng(0).normal(size=(12, 16)).astype("f4")
        )
        self.out = nn.Linear(16, 2)

    def forward(self, x: cr.Tensor) -> cr.Tensor:
        return self.out(self.block(self.first(x) + self.places).mean(1))


def attentive(seed: int, folder: Path) -> Trainer:
    cr.manual_seed(seed)
    data = sequences(seed, rows=800, length=12)
    return trained(Attentive(), data, "cross_entropy", "adam", epochs=25)


def with_settings(seed: int, settings: dict[str, Any], folder: Path) -> Trainer:
    model = mlp(10, 3, seed=seed)
    return trained(model, classes(seed), "cross_entropy", "adam", **settings)


def embedded(seed: int, folder: Path) -> Trainer:
    """Categories as embeddings."""
    cr.manual_seed(seed)
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 30, (800, 3)).astype(np.int32)
    worth = rng.normal(size=30)
    target = (worth[codes].sum(1) + 0.3 * rng.normal(size=800) > 0).astype(np.int32)
    model = nn.Sequential(
        nn.Embedding(30, 6), nn.Flatten(), nn.Linear(18, 32), nn.ReLU(), nn.Linear(32, 2)
    )  # fmt: skip
    return trained(model, parts(codes, target), "cross_entropy", "adam")


def of_table(source: str, seed: int, settings: tuple[str, ...], folder: Path) -> Path:
    return run_of(source, None, *settings, runs=folder, seed=seed)


def of_people(seed: int, settings: tuple[str, ...], folder: Path) -> Path:
    return table(folder, people(600, seed), "y", *settings, seed=seed)


def of_numbers(seed: int, folder: Path) -> Path:
    (x, y), _ = numbers(seed, rows=800, noise=0.3)
    columns = {f"x{i}": x[:, i].round(4).tolist() for i in range(x.shape[1])}
    return table(folder, {**columns, "y": y[:, 0].round(4).tolist()}, "y", seed=seed)


def of_series(source: str, network: str, seed: int, folder: Path) -> Path:
    return run_of(source, None, f"model.name={network}", runs=folder, seed=seed, epochs=20)


GOOD = ["lovely", "fine", "charming", "bright", "warm", "tender", "clever", "moving", "fresh"]
BAD = ["dull", "flat", "tired", "clumsy", "cold", "loud", "silly", "empty", "stale"]
WORDS = {"good": GOOD, "bad": BAD}
OTHERS = ["the", "film", "is", "a", "story", "of", "people", "who", "talk", "in", "the", "town"]


def of_text(network: str, seed: int, folder: Path) -> Path:
    """Short reviews whose words give them away, mostly."""
    rng = np.random.default_rng(seed)
    lines = []
    for _ in range(500):
        label = str(rng.choice(["good", "bad"]))
        other = "bad" if label == "good" else "good"
        words = [str(rng.choice(WORDS[label if rng.random() < 0.85 else other])) for _ in range(4)]
        words += [str(w) for w in rng.choice(OTHERS, 6)]
        lines.append(f"{label}\t{' '.join(rng.permutation(words).tolist())}")
    path = folder / "reviews.tsv"
    path.write_text("label\ttext\n" + "\n".join(lines) + "\n")
    return run_of(
        path, "label", f"model.name={network}", runs=folder / "runs", seed=seed, text="text"
    )


def of_pictures(seed: int, folder: Path) -> Path:
    """A folder of small pictures, one folder a class."""
    from PIL import Image

    (x, y), (xv, yv) = pictures(seed, rows=400, size=16)
    images, target = np.concatenate([x, xv]), np.concatenate([y, yv])
    for i, (image, label) in enumerate(zip(images, target, strict=True)):
        home = folder / "pictures" / ("upright" if label else "lying")
        home.mkdir(parents=True, exist_ok=True)
        pixels = np.clip(image[0] * 60 + 90, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(home / f"{i:04}.png")
    return run_of(folder / "pictures", None, runs=folder / "runs", seed=seed, epochs=12)


def of_recordings(seed: int, folder: Path) -> Path:
    """A folder of short recordings: rising and falling tones, somewhat noisy."""
    rng = np.random.default_rng(seed)
    rate, length = 8000, 4000
    for i in range(240):
        label = ("falling", "rising")[i % 2]
        start, end = sorted(rng.uniform(300, 1800, 2))
        start, end = (start, end + 500) if label == "rising" else (end + 500, start)
        phase = 2 * np.pi * np.cumsum(np.linspace(start, end, length)) / rate
        sound = 0.5 * np.sin(phase + rng.uniform(0, 6)) + 0.05 * rng.normal(size=length)
        home = folder / "recordings" / label
        home.mkdir(parents=True, exist_ok=True)
        with wave.open(str(home / f"{i:04}.wav"), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(rate)
            out.writeframes((np.clip(sound, -1, 1) * 32000).astype("<i2").tobytes())
    return run_of(folder / "recordings", None, runs=folder / "runs", seed=seed, epochs=15)


def of_language(network: str, seed: int, folder: Path) -> Path:
    """A text to continue: sentences of a small grammar."""
    rng = np.random.default_rng(seed)
    path = folder / "story.txt"
    who, does, whom = (["the cat", "a dog", "my aunt"], ["sees", "likes", "follows"],
                       ["the bird", "a stranger", "her shadow", "nobody"])  # fmt: skip
    sentences = [" ".join(str(rng.choice(part)) for part in (who, does, whom)) + "."
                 for _ in range(2500)]  # fmt: skip
    path.write_text("\n".join(sentences) + "\n")
    return run_of(
        path, None, f"model.name={network}", "model.width=32", runs=folder / "runs", seed=seed,
        task="language", epochs=8,
    )  # fmt: skip


def last_state(seed: int, kind: Any, folder: Path) -> Trainer:
    """Scores from the last state; what is asked for was said in the last steps of forty."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.out = kind(2, 24, batch_first=True), nn.Linear(24, 2)

        def forward(self, x: cr.Tensor) -> cr.Tensor:
            return self.out(self.rnn(x)[0][:, -1])

    cr.manual_seed(seed)
    inputs = np.random.default_rng(seed).normal(size=(800, 40, 2)).astype(np.float32)
    data = parts(inputs, (inputs[:, -5:, 0].sum(1) > 0).astype(np.int32))
    return trained(Net(), data, "cross_entropy", "adam")


def add(kind: str, made: Callable[..., Any], *choices: Any) -> None:
    """A training for each combination of ``choices``, each a dict of names and values."""
    for picked in itertools.product(*(choice.items() for choice in choices)):
        name = " ".join([kind, *(str(key) for key, _ in picked)])
        healthy(name, partial(made, *(value for _, value in picked)))


def seeds(count: int, first: int = 0) -> dict[str, int]:
    return {f"seed {s}": s for s in range(first, first + count)}


def named(*names: str) -> dict[str, str]:
    return {name: name for name in names}


add("classes", dense_classes, seeds(2), named(*ACTIVATIONS), named(*OPTIMIZERS))
add("numbers", dense_numbers, seeds(1, 5), named(*ACTIVATIONS), named(*OPTIMIZERS))
NORMS = {"batch norm": nn.BatchNorm1d, "layer norm": nn.LayerNorm}
add("norm", normalised, seeds(2), NORMS, {"": 0.0, "dropout": 0.2})
add("residual", residual, seeds(2), {"2 blocks": 2, "6 blocks": 6})
add("pictures", convolutional, seeds(2), {"": False, "norm": True}, named("adam", "momentum"))
add("recurrent", recurrent, seeds(2), {"GRU": nn.GRU, "LSTM": nn.LSTM})
add("attention", attentive, seeds(2))
SETTINGS: dict[str, dict[str, Any]] = {
    "clipped now and then": {"clip": {"global_norm": 2.0}},
    "accumulated": {"accumulate": 2},
    "small penalty": {"penalty": optim.penalty.Penalty(0.0, 1e-4)},
    "batches of 16": {"batch_size": 16},
    "batches of 64": {"batch_size": 64},
    "long": {"epochs": 40},
}
add("settings", with_settings, seeds(2), SETTINGS)
add("embedded", embedded, seeds(3))
TABLES: dict[str, tuple[str, ...]] = {
    "": (),
    "one cycle": ("train.schedule=one_cycle",),
    "batch norm": ("model.normalisation=batch",),
    "sgd": ("train.optimizer=sgd", "train.lr=0.1"),
}
add("table", of_table, named("heart", "breast_cancer", "diabetes"), seeds(2), TABLES)
add("people", of_people, seeds(6), TABLES)
add("table of numbers", of_numbers, seeds(5))
add("series", of_series, named("macrodata"), named("nhits", "dlinear"), seeds(2))
add("text", of_text, named("bag"), seeds(4))
add("folder of pictures", of_pictures, seeds(2))
# Drawn apart, when there were rules already: see docs/doctor.md.
add("recordings", of_recordings, seeds(6))
add("language", of_language, named("gpt", "gru"), seeds(3))
add("text", of_text, named("conv", "gru"), seeds(3))
add("last state", last_state, seeds(3), {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM})
