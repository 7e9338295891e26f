"""The dashboard: a server in a process of its own, which only reads run folders."""

from .app import Dashboard
from .guard import Access
from .server import PORT, inherited, listen, serve, start_beside

__all__ = ["PORT", "Access", "Dashboard", "inherited", "listen", "serve", "start_beside"]
