"""Requests to a service: with a token, with time limits, and made again where that is safe."""

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import tenacity

from vmwright.client.endpoint import checked_endpoint, checked_token
from vmwright.client.problems import error_of
from vmwright.errors import Conflict, StoreUnavailable, Unavailable, VmwrightError

_CONNECT = 5.0
"""Seconds to reach a service."""
_KEPT = 2.0
"""Seconds for which a connection is kept for another request: a service hangs up after five, and
what is sent at that moment may be lost."""
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_NOT_THERE = "is it running? start one: vmwright serve; or name another endpoint"
_UNKNOWN = "whether it was done is not known: look before you ask again"


class Connection:
    """To one service. Thread-safe; closing it ends whatever waits."""

    def __init__(
        self, endpoint: str, token: str, *, insecure: bool, timeout: float, patience: float
    ) -> None:
        """`timeout` is in seconds, for one answer; for `patience` seconds it is asked again where
        a service that has answered before is away."""
        url = checked_endpoint(endpoint, insecure=insecure)
        self.endpoint = str(url).rstrip("/")
        self.closed = threading.Event()
        self._timeout = timeout
        self._patience = patience
        self.was_there = False
        """Whether it has been there at all since this was made."""
        self._listening: set[socket.socket] = set()
        self._http = httpx.Client(
            base_url=f"{self.endpoint}/v1/",
            headers={"Authorization": f"Bearer {checked_token(token)}"},
            timeout=_limits(timeout),
            verify=_trust(url),
            # Nothing of the environment sends the token elsewhere: no proxy, no .netrc.
            trust_env=False,
            follow_redirects=False,
            limits=httpx.Limits(max_keepalive_connections=4, keepalive_expiry=_KEPT),
        )

    def __repr__(self) -> str:
        return f"<connection to {self.endpoint}>"

    def close(self) -> None:
        self.closed.set()
        # Closing does not wake a thread that listens to one.
        for listening in [*self._listening]:
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
        self._http.close()

    def get(self, path: str, **query: Any) -> httpx.Response:
        return self.ask("GET", path, query=query)

    def patch(self, path: str, body: Any) -> httpx.Response:
        return self.ask("PATCH", path, body=body)

    def delete(self, path: str, **query: Any) -> httpx.Response:
        return self.ask("DELETE", path, query=query)

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        again: bool | None = None,
        timeout: float | None = None,
    ) -> httpx.Response:
        """The service's answer, or the error that it tells of. `again` says whether a second
        request would do no harm where the answer to the first is lost; by default that of a GET.

        `Unavailable` if the service does not answer, with its address.
        """
        request = self._http.build_request(
            method,
            path,
            json=body,
            params=_given(query or {}),
            timeout=_limits(timeout or self._timeout),
        )
        safe = method == "GET" if again is None else again
        answer: httpx.Response = self._retrying(safe)(self._answer, request)
        return answer

    @contextmanager
    def stream(
        self,
        path: str,
        *,
        silence: float,
        upload: Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        **query: Any,
    ) -> Iterator[httpx.Response]:
        """An answer that comes in pieces, at most `silence` seconds after each other. What is
        raised in the body by a line that breaks is `Unavailable`, too. An `upload` is sent as it
        is read, and once."""
        request = self._http.build_request(
            "GET" if upload is None else "POST",
            path,
            content=upload,
            params=_given(query),
            headers=headers,
            timeout=_limits(silence),
        )
        answer = self._sent(request, stream=True)
        listening = answer.extensions["network_stream"].get_extra_info("socket")
        self._listening.add(listening)
        try:
            yield answer
        except httpx.TransportError as error:
            raise self._away(request, error) from error
        finally:
            self._listening.discard(listening)
            answer.close()

    def pause(self, seconds: float) -> None:
        """Wait; `Conflict` if the client is closed meanwhile."""
        if self.closed.wait(seconds):
            raise self._closed()

    def _retrying(self, safe: bool) -> tenacity.Retrying:
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: self._is_worth_it(error, safe)),
            wait=tenacity.wait_random_exponential(multiplier=0.1, max=1.0),
            sleep=tenacity.sleep_using_event(self.closed),
            stop=tenacity.stop_after_delay(self._patience)
            | tenacity.stop_when_event_set(self.closed),
            reraise=True,
        )

    def _is_worth_it(self, error: BaseException, safe: bool) -> bool:
        """A service that was there may be restarting. One that never was is named wrongly."""
        cause = error.__cause__
        if isinstance(cause, _NEVER_SENT):
            return self.was_there
        passing = isinstance(cause, httpx.TransportError) or isinstance(error, StoreUnavailable)
        return safe and passing

    def _answer(self, request: httpx.Request) -> httpx.Response:
        return self._sent(request, stream=False)

    def _sent(self, request: httpx.Request, *, stream: bool) -> httpx.Response:
        if self.closed.is_set():
            raise self._closed()
        try:
            answer = self._http.send(request, stream=stream)
            if not answer.is_success:
                answer.read()
        except httpx.TransportError as error:
            self.was_there |= not isinstance(error, _NEVER_SENT)
            raise self._away(request, error) from error
        self.was_there = True
        if answer.is_success:
            return answer
        raise error_of(answer, self.endpoint)

    def _away(self, request: httpx.Request, error: httpx.TransportError) -> VmwrightError:
        if self.closed.is_set():
            return self._closed()
        if isinstance(error, _NEVER_SENT):
            return Unavailable(
                f"the service at {self.endpoint} cannot be reached: {_reason(error)}",
                hint=_NOT_THERE,
            )
        what = (
            "has not answered in time"
            if isinstance(error, httpx.TimeoutException)
            else (f"has hung up: {_reason(error)}")
        )
        hint = "" if request.method == "GET" else _UNKNOWN
        return Unavailable(f"the service at {self.endpoint} {what}", hint=hint)

    def _closed(self) -> Conflict:
        return Conflict(
            f"the service at {self.endpoint} is asked no more: this client was closed",
            hint="what it was asked for goes on there",
        )


def _limits(answer: float) -> httpx.Timeout:
    return httpx.Timeout(answer, connect=_CONNECT)


def _trust(url: httpx.URL) -> ssl.SSLContext:
    """Whom to believe who they are: those whom this machine does; without TLS nobody is asked."""
    if url.scheme == "https":
        return ssl.create_default_context()
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _given(query: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value is not None}


def _reason(error: httpx.TransportError) -> str:
    return str(error) or type(error).__name__
