"""Seeded inputs of layers, and short descriptions of large arrays.

``convolution.json`` holds the settings of each layer and, for its result and every gradient, the
shape, the Euclidean norm and eight projections on fixed directions: an error in any element
moves all of them. Inputs, parameters and cotangents are made again from the seed of the case.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
PROJECTIONS = 8


def uniform(seed: int, *shape: int) -> Array:
    """float64 in [0, 1) from raw words, whose stream NumPy keeps for ever."""
    words: NDArray[np.uint64] = np.random.PCG64(seed).random_raw(int(np.prod(shape)))
    top: Array = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return top.reshape(shape)


def values(seed: int, shape: tuple[int, ...], kind: str = "unit") -> Array:
    """Numbers with mean 0 and variance 1 that float32 holds; "ties": whole ones from -2 to 2."""
    if kind == "ties":
        return np.floor(5 * uniform(seed, *shape)) - 2
    unit = 2 * 3.0**0.5 * (uniform(seed, *shape) - 0.5)
    return unit.astype(np.float32).astype(np.float64)


def parameters(seed: int, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """Values for the parameters of a layer, in the order of their names."""
    names = sorted(shapes)
    return {n: values(seed + 1 + i, tuple(shapes[n])) for i, n in enumerate(names)}


def cotangent(seed: int, shape: tuple[int, ...]) -> Array:
    """Weights of the elements of a result."""
    return values(seed + 9, shape)


def described(array: Any) -> dict[str, Any]:
    """Shape, norm, and inner products with eight directions of uniform numbers in ±1/2."""
    flat = np.asarray(array, np.float64).ravel()
    directions = uniform(flat.size, PROJECTIONS, flat.size) - 0.5
    return {
        "shape": list(np.shape(array)),
        "norm": float(np.linalg.norm(flat)),
        "on": (directions @ flat).tolist(),
    }


def array_of(one: Mapping[str, Any], seed: int) -> Any:
    """The array that ``one`` describes: see `make_attention.py`."""
    shape, kind = tuple(one["shape"]), one["kind"]
    if kind == "x":
        return values(seed, shape)
    if kind == "float":
        return values(seed, shape)
    if kind == "index":
        return np.floor(one["below"] * uniform(seed, *shape)).astype(np.int32)
    if kind.startswith("causal"):
        later = np.triu(np.ones(shape, bool), 1)
        return np.where(later, -np.inf, 0.0) if kind == "causal_float" else later
    hidden = uniform(seed, *shape) < 0.4
    # of each row something is seen
    hidden[..., 0] &= ~hidden.all(-1)
    return ~hidden if kind == "shows" else hidden


def parameter_values(seed: int, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """Halved numbers for parameters by name; the i-th has the seed ``seed + 20 + i``."""
    return {n: 0.5 * values(seed + 20 + i, shapes[n]) for i, n in enumerate(sorted(shapes))}
