"""Encodings of numbers between which the validation loss chooses."""

from __future__ import annotations

from ...runs.choosing import Candidates
from .settings import Settings

__all__ = ["MOST_ROWS", "encodings"]

#: with more training rows intervals win anyway, and trying takes long
MOST_ROWS = 20_000


def encodings(asked: Settings, settings: Settings, rows: int) -> Candidates[Settings] | None:
    """Numbers by intervals or plain, where ``asked`` leaves that to the data and there are ``rows``
    enough for intervals; ``settings`` are those that the rule has decided on. Where there are not,
    too few validation rows are left to tell which is better."""
    model = settings.model
    left = asked.model.numbers == "auto" and model.network != "realmlp" and model.trial_epochs
    if not left or model.numbers != "piecewise" or rows > MOST_ROWS:
        return None
    plain = settings.changed(model=model.changed(numbers="plain"))
    return Candidates("model.numbers", {"piecewise": settings, "plain": plain}, model.trial_epochs)
