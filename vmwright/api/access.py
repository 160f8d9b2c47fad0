"""What was asked of the service, by whom, and how it was answered: a line of the log each."""

import logging
import re
import time
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vmwright.concerning import concerning
from vmwright.ids import new_id

LOG = logging.getLogger(__name__)

PREFIX = "/v1"
"""Of every route behind a token."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_WATCHERS = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked again and again, by programs: told where everything is."""

Answered = Callable[[str, str, int, float], object]
"""Method, route, status, and seconds."""


class Access:
    """Around an application. Of a path only its route is told, and of a query nothing: both may
    hold what is nobody's business."""

    def __init__(self, app: ASGIApp, answered: Answered) -> None:
        self._application = app
        self._answered = answered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        request, began, status = _request_id(scope), time.perf_counter(), 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request.encode()),
                ]
            await send(message)

        with concerning(request_id=request):
            try:
                await self._application(scope, receive, answer)
            except Exception:
                LOG.exception("a request could not be answered")
                raise
            finally:
                self._tell(scope, status, time.perf_counter() - began)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        route, method = _route(scope), scope["method"]
        if method not in _METHODS:
            method = "other"
        self._answered(method, route, status, seconds)
        said = {"method": method, "route": route, "status": status, "ms": round(1000 * seconds, 1)}
        LOG.log(
            logging.DEBUG if route in _WATCHERS else logging.INFO,
            "%(method)s %(route)s: %(status)d after %(ms).1f ms",
            said,
            extra={"facts": _facts(scope), "said": said},
        )


def _request_id(scope: Scope) -> str:
    """The caller's own, if it is one, so that both logs can be put side by side."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _ID.fullmatch(given := value.decode("latin-1")):
            return str(given)
    return new_id()


def _route(scope: Scope) -> str:
    """As it is written where it is declared."""
    route = getattr(scope.get("route"), "path", None)
    if route is None:
        return "file" if "endpoint" in scope else "unknown"
    # A router that is included in another one need not know under which prefix it is.
    if scope["path"].startswith(f"{PREFIX}/") and not route.startswith(f"{PREFIX}/"):
        return f"{PREFIX}{route}"
    return str(route)


def _facts(scope: Scope) -> dict[str, Any]:
    caller = scope.get("state", {}).get("caller")
    facts = {} if caller is None else {"user": caller.user, "project": caller.project}
    if scope.get("client"):
        facts["client"] = scope["client"][0]
    for noun in ("operation", "instance"):
        named = scope.get("path_params", {}).get(noun)
        if isinstance(named, str) and _UUID.fullmatch(named):
            facts[f"{noun}_id"] = named
    return facts
