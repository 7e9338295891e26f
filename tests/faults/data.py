"""Faults of the data, and of how it is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from chainrule import nn, optim
from chainrule.train import Trainer

from .case import fault
from .made import classes, mlp, numbers, pictures, table, train


def people(rows: int = 400, seed: int = 0) -> dict[str, list[object]]:
    """A table of numbers and a category, with a target that they half decide."""
    rng = np.random.default_rng(seed)
    age, weight = rng.integers(20, 80, rows), rng.normal(75, 12, rows).round(1)
    town = rng.choice(["north", "south", "east"], rows)
    risk = 0.06 * (age - 50) + 0.05 * (weight - 75) + (town == "north") + rng.normal(0, 0.7, rows)
    ill = np.where(risk > 0.3, "ill", "well")
    return {
        "age": age.tolist(),
        "weight": weight.tolist(),
        "town": town.tolist(),
        "y": ill.tolist(),
    }


@fault("T401")
def the_same_rows_on_both_sides(folder: Path) -> Path:
    """A table in which every row stands five times."""
    columns = {name: values[:80] * 5 for name, values in people().items()}
    return table(folder, columns, epochs=12)


@fault("T401", "T303")
def validation_copied_from_training(folder: Path) -> Trainer:
    """Half of the validation rows are rows of the training part."""
    (x, y), (xv, yv) = classes()
    half = len(xv) // 2
    xv, yv = np.concatenate([x[:half], xv[half:]]), np.concatenate([y[:half], yv[half:]])
    return train(mlp(10, 3), ((x, y), (xv, yv)))


@fault("T402")
def the_answer_in_a_column(folder: Path) -> Path:
    """A column that is the target under another name."""
    columns = people()
    columns["code"] = [1 if value == "ill" else 0 for value in columns["y"]]
    return table(folder, columns, epochs=12)


@fault("T402")
def a_column_from_the_future(folder: Path) -> Path:
    """Days of treatment, which are known once somebody is ill."""
    rng = np.random.default_rng(1)
    columns = people()
    columns["days_of_treatment"] = [int(rng.integers(3, 30)) if value == "ill" else 0
                                    for value in columns["y"]]  # fmt: skip
    return table(folder, columns, epochs=12)


@fault("T403")
def one_class_in_a_hundred(folder: Path) -> Trainer:
    """Ten rows of one class, a thousand of the other."""
    (x, y), (xv, yv) = classes(rows=2000, count=2, noise=2.0)
    keep, keep_v = (
        (y == 0) | (np.arange(len(y)) % 60 == 0),
        (yv == 0) | (np.arange(len(yv)) % 60 == 0),
    )
    return train(mlp(10, 2), ((x[keep], y[keep]), (xv[keep_v], yv[keep_v])))


@fault("T403")
def a_rare_answer_in_a_table(folder: Path) -> Path:
    """One answer in fifty."""
    columns = people(1500)
    kept = [i for i, value in enumerate(columns["y"]) if value == "well" or i % 40 == 0]
    return table(folder, {n: [v[i] for i in kept] for n, v in columns.items()}, epochs=12)


@fault("T404")
def inputs_in_thousands(folder: Path) -> Trainer:
    """One input in thousands beside others about 1."""
    (x, y), (xv, yv) = numbers()
    scale = np.array([5000, 1, 1, 1, 1, 1, 1, 1], np.float32)
    model = mlp(8, 1)
    optimizer = optim.Adam(model.parameters(), lr=3e-3)
    return train(model, ((x * scale, y), (xv * scale, yv)), "mse", optimizer)


@fault("T404")
def pixels_up_to_255(folder: Path) -> Trainer:
    """Pictures of raw pixels."""
    (x, y), (xv, yv) = pictures()
    model = nn.Sequential(nn.Flatten(), *mlp(144, 2))
    return train(model, ((x * 60 + 120, y), (xv * 60 + 120, yv)), epochs=8)


@fault("T404")
def inputs_in_millionths(folder: Path) -> Trainer:
    """Inputs so small that the first layer sees nothing."""
    (x, y), (xv, yv) = classes()
    return train(mlp(10, 3), ((x * 1e-5, y), (xv * 1e-5, yv)))


@fault("T404")
def inputs_with_a_large_offset(folder: Path) -> Trainer:
    """Years, as they are written: 2000 give or take ten."""
    (x, y), (xv, yv) = classes()
    return train(mlp(10, 3), ((x + 2000, y), (xv + 2000, yv)))


@fault("T405")
def columns_that_never_change(folder: Path) -> Trainer:
    """Half of the inputs are constant."""
    (x, y), (xv, yv) = classes()
    x, xv = x.copy(), xv.copy()
    x[:, 5:], xv[:, 5:] = 3.0, 3.0
    return train(mlp(10, 3), ((x, y), (xv, yv)))


@fault("T405")
def columns_nearly_empty(folder: Path) -> Path:
    """Three columns without a value in nine of ten rows, and one that never changes."""
    rng = np.random.default_rng(0)
    columns = people()
    for name in ("first", "second", "third"):
        values = rng.normal(size=400).round(2)
        columns[name] = [float(v) if rng.random() < 0.08 else None for v in values]
    columns["version"] = [2] * 400
    return table(folder, columns, epochs=12)


@fault("T406", "T301", "T304")
def every_third_label_wrong(folder: Path) -> Trainer:
    """A third of the labels are another class's."""
    (x, y), held = classes(noise=0.7)
    rng = np.random.default_rng(0)
    wrong = rng.random(len(y)) < 0.35
    return train(mlp(10, 3, [128, 128]), ((x, np.where(wrong, (y + 1) % 3, y)), held), epochs=40)


@fault("T407")
def target_in_millions(folder: Path) -> Trainer:
    """Prices of houses, as they are."""
    (x, y), (xv, yv) = numbers()
    return train(mlp(8, 1), ((x, 3e5 + 1e5 * y), (xv, 3e5 + 1e5 * yv)), "mse")


@fault("T407")
def target_in_millionths(folder: Path) -> Trainer:
    """A target so small that every gradient is nothing."""
    (x, y), (xv, yv) = numbers()
    model = mlp(8, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.05)
    return train(model, ((x, y * 1e-5), (xv, yv * 1e-5)), "mse", optimizer)


@fault("T408")
def sorted_rows(folder: Path) -> Trainer:
    """Rows in the order of their classes, and shuffling switched off."""
    (x, y), held = classes()
    order = np.argsort(y, kind="stable")
    return train(mlp(10, 3), ((x[order], y[order]), held), shuffle=False)


@fault("T408", "T410")
def sorted_numbers(folder: Path) -> Trainer:
    """Rows in the order of the target, not shuffled."""
    (x, y), held = numbers()
    order = np.argsort(y[:, 0])
    return train(mlp(8, 1), ((x[order], y[order]), held), "mse", shuffle=False)


@fault("T409", "T301")
def thirty_rows(folder: Path) -> Trainer:
    """Thirty rows for ten thousand parameters."""
    return train(mlp(10, 3, [96, 96]), classes(rows=40, noise=1.5), epochs=40)


@fault("T409", "T301")
def a_table_of_forty_rows(folder: Path) -> Path:
    """Forty rows."""
    columns = {name: values[:40] for name, values in people().items()}
    return table(folder, columns, epochs=20)


@fault("T410")
def validation_from_elsewhere(folder: Path) -> Trainer:
    """Validation rows are shifted and stretched."""
    (x, y), (xv, yv) = classes()
    return train(mlp(10, 3), ((x, y), (xv * 2.5 + 4, yv)))


@fault("T410")
def validation_of_other_values(folder: Path) -> Trainer:
    """The target of the training part is below zero, that of the validation part above."""
    (x, y), (xv, yv) = numbers(rows=1600)
    low, high = y[:, 0] < 0, yv[:, 0] > 0
    return train(mlp(8, 1), ((x[low], y[low]), (xv[high], yv[high])), "mse")


@fault("T407")
def a_target_with_giants(folder: Path) -> Trainer:
    """Three targets a thousand times larger than all others decide the loss."""
    (x, y), held = numbers()
    y = y.copy()
    y[[5, 200, 400]] *= 1000
    return train(mlp(8, 1), ((x, y), held), "mse")


@fault("T401")
def copies_in_a_run(folder: Path) -> Path:
    """A table of numbers, every row twice."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 3)).round(3)
    y = (x @ [1.0, -2.0, 0.5] + 0.3 * rng.normal(size=150)).round(3)
    columns = {name: [*x[:, i].tolist()] * 2 for i, name in enumerate("abc")}
    return table(folder, {**columns, "y": y.tolist() * 2}, epochs=12)


@fault("T408")
def sorted_run(folder: Path) -> Trainer:
    """Pictures of one class first, not shuffled."""
    (x, y), held = pictures()
    order = np.argsort(y, kind="stable")
    model = nn.Sequential(nn.Flatten(), *mlp(144, 2))
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    return train(model, ((x[order], y[order]), held), optimizer=optimizer, shuffle=False)
