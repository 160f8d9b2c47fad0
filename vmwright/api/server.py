"""The HTTP server of a service: uvicorn, in a thread of its own."""

import socket
import threading
from types import TracebackType
from typing import Self

import uvicorn
from fastapi import FastAPI

from vmwright.errors import Unavailable

_GRACE = 3
"""Seconds that answers under way have once it is told to stop."""


class Server:
    """Serves an application from its making until it is closed. A context manager."""

    def __init__(self, application: FastAPI, host: str, port: int) -> None:
        """`port` 0 takes a free one. `Unavailable` if the address is taken, or not this host's."""
        self._listening = _listening(host, port)
        config = uvicorn.Config(
            application,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="vmwright-http", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it is reached."""
        host, port = self._listening.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Answer what is under way, and stop."""
        self._server.should_exit = True
        self._thread.join()
        self._listening.close()

    def _run(self) -> None:
        self._server.run(sockets=[self._listening])


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.create_server((host, port), family=family, backlog=256)
        # What it accepts has it, too. asyncio sets it only where a socket names its protocol.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except OSError as error:
        raise Unavailable(
            f"the service cannot listen on {host!r}, port {port}: {error.strerror or error}",
            hint="choose others: --host, --port, or [api] host and port",
        ) from error
