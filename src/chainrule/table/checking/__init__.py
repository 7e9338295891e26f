"""What to know before a long training: checks of the table, the model and the cost."""

from .result import Check, Status
from .whole import check_settings

__all__ = ["Check", "Status", "check_settings"]
