"""The worst mistakes as small pictures, for reports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data.pictures import data_uri
from ..train import Scores

__all__ = ["MISTAKES", "worst_mistakes"]

MISTAKES = 24


def worst_mistakes(
    names: Sequence[str],
    codes: npt.NDArray[np.integer[Any]],
    classes: Sequence[str],
    scores: Scores,
    picture: Callable[[int], npt.NDArray[np.uint8]],
    most: int = MISTAKES,
) -> list[dict[str, Any]]:
    """The wrong predictions that gave the true class the least probability, the worst first.

    ``names`` and ``codes`` are those of all examples; ``picture(i)`` is bytes [H, W, C] of one.
    """
    probabilities, predicted = scores.probabilities, scores.labels
    of_true_class = probabilities[np.arange(len(codes)), codes]
    wrong = np.flatnonzero(predicted != codes)
    worst = wrong[np.argsort(of_true_class[wrong], kind="stable")][:most]
    return [
        {
            "name": names[i],
            "example": int(i),
            "true": classes[codes[i]],
            "predicted": classes[predicted[i]],
            "probability": float(probabilities[i, predicted[i]]),
            "image": data_uri(picture(int(i))),
        }
        for i in worst
    ]
