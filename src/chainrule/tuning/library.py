"""Optuna, or a word on how to get it."""

from __future__ import annotations

from ..errors import ConfigError

try:
    import optuna
    from sqlalchemy.exc import SQLAlchemyError
except ImportError:
    raise ConfigError(
        "tuning needs the Optuna package", help='pip install "chainrule[tune]"'
    ) from None

__all__ = ["SQLAlchemyError", "optuna"]
