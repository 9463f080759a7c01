"""What every request passes before anything else sees it: keys, limits, and headers of answers."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from fkd.service.access import Access
from fkd.service.problems import Broken, Problem, TooLarge, TooSlow, WrongRole
from fkd.service.sessions import Sessions

Message = MutableMapping[str, Any]
App = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Any
]

GUARDED = ("/v1/", "/metrics")
"""Where the paths begin that need an API key."""

STRANGERS = 1 << 16
"""The bytes of the body of a request to the page without a session, such as one to sign in."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""The methods that metrics tell apart."""

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; style-src 'self'; "
    "script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""The headers of all answers. Nothing is loaded from elsewhere, and nothing is kept by caches."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """What a request may take.

    Attributes
    ----------
    body : int
        Bytes of its body.
    seconds : float
        Seconds until its body is there.
    """

    body: int = 20 << 20
    seconds: float = 30.0


class Metrics:
    """What Prometheus reads. It holds no identifier of customers or keys."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "fkd_requests", "Requests", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "fkd_request_seconds", "Seconds of requests", ["route"], registry=self.registry
        )
        self.decisions = Counter(
            "fkd_decisions", "Decisions of verifications", ["decision"], registry=self.registry
        )
        self.findings = Counter(
            "fkd_findings", "Findings on images", ["code"], registry=self.registry
        )


class Gate:
    """The outermost layer of the application.

    It finds out who asks before it takes a body, takes the body within the limits, and gives it to
    the application in one piece.

    Parameters
    ----------
    app : App
        The application.
    access : Access
        Checks keys.
    limits : Limits
        The limits of a request.
    metrics : Metrics
        Counts requests.
    sessions : Sessions
        Reads the sessions of the page.
    respond : callable
        Makes the answer of a problem, given the scope of ASGI.
    """

    def __init__(
        self,
        app: App,
        access: Access,
        limits: Limits,
        metrics: Metrics,
        sessions: Sessions,
        respond: Callable[[Message, Problem], Response],
    ) -> None:
        self._app, self._access, self._sessions = app, access, sessions
        self._limits, self._metrics, self._respond = limits, metrics, respond

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, started = time.perf_counter(), 500, False
        number = uuid4().hex[:12]
        scope.setdefault("state", {})["number"] = number

        async def send_on(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                own = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message["headers"], *own]
            await send(message)

        try:
            await self._admit(scope, receive, send_on)
        except Problem as problem:
            await self._respond(scope, problem)(scope, receive, send_on)
        except Exception:
            _log.exception("request %s failed", number)
            if not started:
                await self._respond(scope, failure(number))(scope, receive, send_on)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._metrics.requests.labels(method, route, status).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - began)

    async def _admit(self, scope: Message, receive: Any, send: Any) -> None:
        headers = {key.lower(): value for key, value in scope["headers"]}
        most = self._limits.body
        if scope["path"].startswith(GUARDED):
            kind, _, key = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
            key = key.strip() if kind.lower() == "bearer" else None
            address = (scope.get("client") or ("", 0))[0]
            caller = await run_in_threadpool(self._access.check, key, address)
            scope["state"]["caller"] = caller
        else:
            cookies = headers.get(b"cookie", b"").decode("latin-1")
            session = await run_in_threadpool(self._sessions.read, cookies) if cookies else None
            scope["state"]["session"] = session
            if not session:
                most = min(most, STRANGERS)
            if headers.get(b"sec-fetch-site", b"none") not in (b"none", b"same-origin"):
                if scope["method"] != "GET":
                    raise WrongRole("This form was sent by another site.")
        stated = headers.get(b"content-length", b"0")
        if not stated.isdigit() or int(stated) > most:
            raise TooLarge(_too_large(most))
        try:
            async with asyncio.timeout(self._limits.seconds):
                body = await _body(receive, most)
        except TimeoutError:
            raise TooSlow(
                f"The body did not arrive within {self._limits.seconds:g} seconds."
            ) from None
        if body is None:
            return  # the client has gone
        given = False

        async def receive_on() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, receive_on, send)


async def _body(receive: Any, most: int) -> bytes | None:
    """Take a whole body; None if the client has gone."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            raise TooLarge(_too_large(most))
        if not message.get("more_body"):
            return b"".join(parts)


def _too_large(most: int) -> str:
    return f"A request has {most >> 10} KB at most. Send fewer or smaller images."


def failure(number: str) -> Broken:
    """Make the problem of a bug, of which the log says more under this number."""
    return Broken(f"This is a fault of the service. Its log says more under {number}.")


def as_json(problem: Problem) -> Response:
    """Make the answer of a problem for programs."""
    headers = {}
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if problem.status in (408, 413):
        headers["Connection"] = "close"  # the rest of the body is not taken
    return JSONResponse(problem.as_dict(), problem.status, headers, "application/problem+json")
