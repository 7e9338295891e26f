"""The command line. Modules here import the package inside functions: ``--help`` must be quick."""

from .app import main

__all__ = ["main"]
