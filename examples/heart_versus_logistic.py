"""Chainrule's table door against logistic regression: heart disease, ten seeded splits.

Both see the same split, the same encoding and the same test rows. Chainrule stops early on the
validation rows; logistic regression, which needs none, learns from training and validation rows
together. The settings are those of `fast`, which were chosen on splits with seeds from 100 up.

    python examples/heart_versus_logistic.py            # needs scikit-learn
    python examples/heart_versus_logistic.py breast_cancer
"""

from __future__ import annotations

import sys

import numpy as np
from sklearn.linear_model import LogisticRegression

import chainrule as cr
from chainrule.data import TablePlan, bundled, prepare, read_table

SEEDS = range(10)


def logistic_accuracy(name: str, seed: int) -> float:
    """Test accuracy of logistic regression (scikit-learn's defaults) on the split of ``seed``."""
    known = bundled(name)
    plan = TablePlan(missing=known.missing, seed=seed)
    parts = prepare(read_table(known.path), known.target, plan)
    X = np.concatenate([parts.train.features.numeric, parts.val.features.numeric])
    y = np.concatenate([parts.train.target, parts.val.target])
    model = LogisticRegression(max_iter=5000).fit(X, y)
    return float(model.score(parts.test.features.numeric, parts.test.target))


def network_accuracy(name: str, seed: int) -> float:
    """Test accuracy of `cr.fit` with the preset `fast` on the same split."""
    return cr.fit(name, preset="fast", seed=seed, runs_dir=None, verbose=False).metrics["accuracy"]


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "heart"
    print("seed  chainrule  logistic  difference")
    differences = []
    for seed in SEEDS:
        ours, theirs = network_accuracy(name, seed), logistic_accuracy(name, seed)
        differences.append(100 * (ours - theirs))
        print(f"{seed:4}  {100 * ours:8.2f}%  {100 * theirs:7.2f}%  {differences[-1]:+10.2f}")
    spread = np.std(differences, ddof=1) / np.sqrt(len(differences))
    print(
        f"mean paired difference: {np.mean(differences):+.2f} points, standard error {spread:.2f}"
    )


if __name__ == "__main__":
    main()
