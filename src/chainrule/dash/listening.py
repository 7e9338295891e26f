"""Taking a port, and starting a dashboard beside a training. Loads nothing of weight."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

from ..errors import ConfigError
from .access import LOOPBACK, Access

__all__ = ["PORT", "Listening", "inherited", "listen", "start_beside"]

PORT = 8642
#: ports that are tried after the usual one
NEARBY = 20


class Listening:
    """A socket that listens, and the addresses that lead to it."""

    def __init__(self, taken: socket.socket, host: str, access: Access) -> None:
        self.socket, self.host, self.access = taken, host, access
        self.port = int(taken.getsockname()[1])

    @property
    def address(self) -> str:
        """For a browser."""
        everywhere = self.host in ("0.0.0.0", "::")
        name = socket.gethostname() if everywhere else self.host
        shown = f"[{name}]" if ":" in name else name
        token = f"?token={self.access.token}" if self.access.token else ""
        return f"http://{shown}:{self.port}/{token}"


def listen(host: str, port: int | None, control: bool) -> Listening:
    """Takes ``port``; without one, the usual port, or the next that is free.

    ConfigError, which offers the next free one, if the port is taken, and for a host that is not
    of this machine.
    """
    access = Access.to(host, control)
    if port is not None:
        try:
            return Listening(_taken(host, port), host, access)
        except PermissionError:
            raise ConfigError(
                f"port {port} is reserved for the system", help=f"try --port {PORT}"
            ) from None
        except OSError as error:
            _check_host(host, error)
            free = _next_free(host, port + 1)
            offer = f"use another one: --port {free}" if free else "choose another port"
            raise ConfigError(
                f"port {port} is in use, perhaps by another dashboard", help=offer
            ) from None
    for candidate in range(PORT, PORT + NEARBY):
        try:
            return Listening(_taken(host, candidate), host, access)
        except OSError as error:
            _check_host(host, error)
    raise ConfigError(
        f"the ports from {PORT} to {PORT + NEARBY - 1} are in use", help="choose one with --port"
    )


def _taken(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((host, port))
        taken.listen(256)
    except (OSError, OverflowError):
        taken.close()
        raise
    return taken


def _check_host(host: str, error: OSError) -> None:
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        raise ConfigError(
            f"{host!r} is not an address of this machine",
            help="leave --host out, or pass 0.0.0.0 for all of its addresses",
        ) from None


def _next_free(host: str, first: int) -> int | None:
    for port in range(first, min(first + NEARBY, 65536)):
        with contextlib.suppress(OSError):
            _taken(host, port).close()
            return port
    return None


def start_beside(root: Path, control: bool) -> str:
    """Starts a dashboard in a process of its own, for as long as this one lives or a browser looks;
    gives its address. Nothing waits for it: the socket listens from now on."""
    listening = listen(LOOPBACK[0], None, control)
    reading, writing = os.pipe()
    sent = (listening.socket.fileno(), reading)
    command = [sys.executable, "-m", "chainrule", "dash", str(root.absolute()), "--socket",
               f"{sent[0]},{sent[1]}", *(["--control"] if control else [])]  # fmt: skip
    server = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        pass_fds=sent, start_new_session=True,
    )  # fmt: skip
    os.close(reading)
    listening.socket.close()
    _held.append((server, writing))
    return listening.address


#: servers, and ends of pipes that say to them, by being open, that this process lives
_held: list[tuple[subprocess.Popen[bytes], int]] = []


def inherited(descriptors: str, control: bool) -> tuple[Listening, int]:
    """What `start_beside` handed down. ConfigError for anything else."""
    try:
        taken, companion = (int(part) for part in descriptors.split(","))
        listening = socket.socket(fileno=taken)
        os.fstat(companion)
    except (ValueError, OSError):
        raise ConfigError("--socket is for chainrule train --dash") from None
    return Listening(listening, LOOPBACK[0], Access.to(LOOPBACK[0], control)), companion
