"""What a server may be asked, and by whom."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

__all__ = ["LOOPBACK", "Access"]

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Access:
    """``token`` is empty on this machine alone; ``control`` lets browsers change a training."""

    token: str = ""
    control: bool = False

    @classmethod
    def to(cls, host: str, control: bool) -> Access:
        """For a server that listens on ``host``."""
        return cls("" if host in LOOPBACK else secrets.token_urlsafe(24), control)
