"""Who may ask, and what a page may do.

That a server listens on this machine alone protects from nobody whose page is open in a browser on
it: a foreign page may send requests here, and its name may be made to lead here (DNS rebinding). So
a request must name this machine as its host, and come from a page of ours. A server that others
reach asks for a token as well.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from urllib.parse import parse_qs, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .access import LOOPBACK, Access

__all__ = ["Guard"]

#: what is shown comes from the bundle alone; nothing is loaded from, or sent to, anywhere else
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """Refuses, in words, what does not come from a page of ours."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app, self.access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        app: ASGIApp = self.app if refusal is None else refusal

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await app(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self.access.token and _name(host) not in LOOPBACK:
            return _refused(
                421, f"this dashboard does not answer to the host {host!r}",
                "open the address that chainrule dash printed",
            )  # fmt: skip
        origin = headers.get("origin")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return _refused(403, f"a page of {origin!r} asked for this", "only its own pages may")
        site = headers.get("sec-fetch-site", "none")
        if site not in ("none", "same-origin") and headers.get("sec-fetch-mode") != "navigate":
            return _refused(403, "a page of another site asked for this", "only its own pages may")
        if scope["method"] not in ("GET", "HEAD"):
            if not self.access.control:
                return _refused(
                    403, "this dashboard only looks", "start it with chainrule dash --control"
                )
            if not headers.get("content-type", "").startswith("application/json"):
                return _refused(415, "what is sent must be JSON", "set the content type")
        return self._unknown(scope, headers) if self.access.token else None

    def _unknown(self, scope: Scope, headers: Headers) -> Response | None:
        """None for whoever has the token: in the address at first, then in a cookie."""
        name = f"chainrule-{(scope.get('server') or ('', 0))[1]}"
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if given and hmac.compare_digest(given.encode(), self.access.token.encode()):
            if scope["path"] != "/":
                return None
            rest = parse_qs(scope["query_string"].decode("latin-1"))
            del rest["token"]
            query = f"?{urlencode(rest, doseq=True)}" if rest else ""
            response = RedirectResponse(f"/{query}", 303)
            response.set_cookie(name, self.access.token, httponly=True, samesite="strict")
            return response
        kept = _cookie(headers.get("cookie", ""), name)
        if hmac.compare_digest(kept.encode(), self.access.token.encode()):
            return None
        return _refused(
            401, "this dashboard asks for its token",
            "open the whole address that chainrule dash printed, with ?token=",
        )  # fmt: skip


def _name(host: str) -> str:
    """``localhost:8642`` without the port, ``[::1]`` without brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


def _cookie(header: str, name: str) -> str:
    for part in header.split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value
    return ""


def _refused(status: int, what: str, help: str) -> Response:
    return JSONResponse({"error": what, "help": help}, status)
