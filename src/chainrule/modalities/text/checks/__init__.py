"""The checks of texts before training."""

from .texts import copies, texts_and_tokens

__all__ = ["CHECKS"]

CHECKS = (texts_and_tokens, copies)
