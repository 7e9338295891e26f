"""The version, as `pyproject.toml` says it: here it can be had without loading anything."""

__version__ = "0.1.0"
