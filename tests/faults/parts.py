"""Which third of the gallery is set aside: drawn once, before there was any rule."""

from __future__ import annotations

from pathlib import Path

import numpy as np

SEED = 20261129
FILE = Path(__file__).parent / "set_aside.txt"


def draw(names: list[str]) -> list[str]:
    """A third of the names."""
    order = np.random.default_rng(SEED).permutation(len(names))
    return sorted(sorted(names)[i] for i in order[: len(names) // 3])


def set_aside() -> frozenset[str]:
    return frozenset(FILE.read_text(encoding="utf-8").splitlines())
