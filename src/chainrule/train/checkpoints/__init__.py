"""Checkpoints: a training, written so that it goes on to the same bits."""

from .folder import Checkpoint, Checkpoints
from .weights_file import load, save

__all__ = ["Checkpoint", "Checkpoints", "load", "save"]
