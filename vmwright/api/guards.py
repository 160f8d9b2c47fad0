"""What no request gets past: a foreign host name, or a body without end."""

from collections.abc import Collection
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vmwright.api.problems import problem
from vmwright.errors import InvalidRequest

MOST_BYTES = 16 * 2**20
"""Of a request that is no image."""
_STATUS = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
_TOO_LONG = InvalidRequest(f"a request has at most {MOST_BYTES} bytes")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def names_of(host: str, allowed: Collection[str]) -> frozenset[str] | None:
    """The names under which a service may be asked that listens on this address; None is any.

    A page of somebody else's may have a name that leads to this machine: on loopback, where nobody
    else is expected, only names of loopback are known.
    """
    if allowed:
        return frozenset(name.lower().strip("[]") for name in allowed)
    if host in _LOOPBACK or host.startswith("127."):
        return frozenset({*_LOOPBACK, host})
    return None


class OnlyKnownNames:
    """Refuses requests to hosts that we are not."""

    def __init__(self, application: ASGIApp, names: frozenset[str] | None) -> None:
        self._application = application
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._names is not None:
            asked = _name(Headers(scope=scope).get("host", ""))
            if asked not in self._names:
                refusal = InvalidRequest(
                    "this service is not known under the host name that was asked for",
                    hint="add the name to [api] allowed_hosts",
                )
                await problem(refusal)(scope, receive, send)
                return
        await self._application(scope, receive, send)


def _name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


class BoundedBodies:
    """Refuses bodies that are longer than requests are, but for those that are sent as images."""

    def __init__(self, application: ASGIApp, streamed: tuple[str, str]) -> None:
        """`streamed` is the method and the path of what has a limit of its own."""
        self._application = application
        self._streamed = streamed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["method"], scope["path"]) == self._streamed:
            await self._application(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isascii() and announced.isdecimal() and int(announced[:19]) > MOST_BYTES:
            await problem(_TOO_LONG, _STATUS)(scope, receive, send)
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > MOST_BYTES:
                raise HTTPException(_STATUS)
            return message

        await self._application(scope, counted, send)
