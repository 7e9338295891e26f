"""What to know before a long training: checks of the table, the model and the cost."""

from ....runs.checks.result import Check, Status
from .whole import check_settings

__all__ = ["Check", "Status", "check_settings"]
