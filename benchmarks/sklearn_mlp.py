"""scikit-learn's ``bench_mnist``: its perceptrons and ours, on the bundled pictures of clothes.

    python -m benchmarks.sklearn_mlp
    python -m benchmarks.sklearn_mlp --epochs 10 --solvers sgd --rounds 1

The parameters are those of scikit-learn's ``benchmarks/bench_mnist.py``: two hidden layers of 100,
gradient descent with momentum at a rate of 0.2, or Adam. Both train as long, on the same batches
from the same first weights, in turns: theirs, ours, ours, theirs. A line of JSON for each fit, then
one for each solver with the medians and their ratio. Our first fit compiles, and counts apart.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import warnings
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier as Theirs

from chainrule.data.images.reading import read_images
from chainrule.sklearn import MLPClassifier as Ours

SOLVERS: dict[str, dict[str, Any]] = {
    "sgd": {"solver": "sgd", "learning_rate_init": 0.2, "momentum": 0.9},
    "adam": {"solver": "adam", "learning_rate_init": 0.001},
}
COMMON: dict[str, Any] = {
    "hidden_layer_sizes": (100, 100), "alpha": 1e-4, "tol": 0.0, "random_state": 1,
}  # fmt: skip
#: share of rows for training
TRAINED = 6 / 7


def pictures(shifts: int, dtype: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pixels from 0 to 1 and classes, for training and for testing.

    Each picture for training stands there ``(2 shifts + 1)²`` times, shifted by up to as many
    pixels: with two, there are as many as in MNIST.
    """
    images = read_images("fashion")
    x = images.pixels[..., 0].astype(dtype) / 255
    order = np.random.default_rng(0).permutation(len(x))
    train, test = np.split(order, [int(len(x) * TRAINED)])
    steps = range(-shifts, shifts + 1)
    moved = [np.roll(x[train], (down, right), (1, 2)) for down in steps for right in steps]
    y = np.tile(images.labels[train], len(moved))
    return _flat(np.concatenate(moved)), y, _flat(x[test]), images.labels[test]


def _flat(x: np.ndarray) -> np.ndarray:
    return x.reshape(len(x), -1)


def fit(kind: Any, solver: str, epochs: int, data: tuple[np.ndarray, ...]) -> dict[str, Any]:
    """One fit: seconds, error on test rows, loss."""
    x, y, x_test, y_test = data
    model = kind(max_iter=epochs, **SOLVERS[solver], **COMMON)
    begun, spent = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(x, y)
    seconds, spent = time.perf_counter() - begun, time.process_time() - spent
    return {
        "of": "scikit-learn" if kind is Theirs else "chainrule",
        "solver": solver,
        "epochs": model.n_iter_,
        "seconds": round(seconds, 3),
        "processor_seconds": round(spent, 3),
        "milliseconds_a_step": round(1000 * spent / model.n_iter_ / -(-len(x) // 200), 3),
        "error": round(1 - model.score(x_test, y_test), 4),
        "loss": model.loss_,
    }


def main() -> None:
    """Every solver in turns."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--solvers", default="sgd,adam", help="separated by commas")
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--shifts", type=int, default=2, help="pixels; 0: no pictures are shifted")
    parser.add_argument("--dtype", default="float32", help="of the data; ours computes in float32")
    parser.add_argument("--rounds", type=int, default=2, help="pairs of fits of each")
    settings = parser.parse_args()
    data = pictures(settings.shifts, settings.dtype)
    print(json.dumps({"rows": len(data[0]), "tested": len(data[2])}))
    for solver in settings.solvers.split(","):
        first = {**fit(Ours, solver, settings.epochs, data), "first": True}
        print(json.dumps(first), flush=True)
        fits: list[dict[str, Any]] = []
        for turn in range(settings.rounds):
            for kind in (Theirs, Ours) if turn % 2 == 0 else (Ours, Theirs):
                fits.append(fit(kind, solver, settings.epochs, data))
                print(json.dumps(fits[-1]), flush=True)
        print(json.dumps(summary(solver, first, fits)), flush=True)


def summary(solver: str, first: dict[str, Any], fits: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians of both, and how many times as long scikit-learn's takes."""
    result: dict[str, Any] = {"solver": solver, "first_seconds": first["seconds"]}
    for of in ("scikit-learn", "chainrule"):
        mine = [f for f in fits if f["of"] == of]
        result[of] = {
            key: statistics.median(f[key] for f in mine)
            for key in ("seconds", "processor_seconds", "error", "loss")
        }
    for key in ("seconds", "processor_seconds"):
        ratio = result["scikit-learn"][key] / result["chainrule"][key]
        result[f"times_as_fast_in_{key}"] = round(ratio, 2)
    return result


if __name__ == "__main__":
    main()
