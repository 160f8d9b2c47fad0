"""Errors of the service, as the errors that they were there."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import httpx

from vmwright import errors
from vmwright.errors import VmwrightError

_LONGEST = 200
_TOKEN_HINT = "give it with --token-file or VMWRIGHT_TOKEN"  # noqa: S105 - says where one is given

_BY_STATUS: Mapping[int, type[VmwrightError]] = {
    HTTPStatus.BAD_REQUEST: errors.InvalidRequest,
    HTTPStatus.UNAUTHORIZED: errors.Unauthenticated,
    HTTPStatus.FORBIDDEN: errors.Forbidden,
    HTTPStatus.NOT_FOUND: errors.NotFound,
    HTTPStatus.CONFLICT: errors.Conflict,
    HTTPStatus.BAD_GATEWAY: errors.Unavailable,
    HTTPStatus.SERVICE_UNAVAILABLE: errors.Unavailable,
    HTTPStatus.GATEWAY_TIMEOUT: errors.Unavailable,
}
"""Where the answer does not say which error it is, or one that is not known here."""


def error_of(answer: httpx.Response, endpoint: str) -> VmwrightError:
    """The error that an answer tells of, which has been read and is not a success."""
    document = _document(answer)
    if "detail" not in document:
        return _of_a_stranger(answer, endpoint)
    return error_in(document, _kind_of(answer))


def error_in(
    document: Mapping[str, Any], otherwise: type[VmwrightError] = errors.Internal
) -> VmwrightError:
    """The error that a problem is about, as RFC 9457 has them."""
    kind = _KINDS.get(str(document.get("code"))) or otherwise
    error = _made(kind, str(document["detail"]), _hint(kind, document))
    error.host = document.get("host")
    if document.get("cause"):
        error.__cause__ = VmwrightError(str(document["cause"]))
    return error


def _made(kind: type[VmwrightError], message: str, hint: str) -> VmwrightError:
    """Whatever its own constructor makes of a message: this one was made before."""
    error = kind.__new__(kind)
    VmwrightError.__init__(error, message, hint=hint)
    return error


def _hint(kind: type[VmwrightError], document: Mapping[str, Any]) -> str:
    hint = str(document.get("hint") or "")
    if kind is not errors.Unauthenticated:
        return hint
    return f"{hint}; {_TOKEN_HINT}" if hint else _TOKEN_HINT


def _kind_of(answer: httpx.Response) -> type[VmwrightError]:
    return _BY_STATUS.get(answer.status_code, errors.Internal)


def _document(answer: httpx.Response) -> Mapping[str, Any]:
    if "json" not in answer.headers.get("content-type", ""):
        return {}
    try:
        document = answer.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _of_a_stranger(answer: httpx.Response, endpoint: str) -> VmwrightError:
    """Of whoever answers in the place of a service: a proxy on the way, or another program."""
    said = f"{answer.status_code} {answer.reason_phrase}".strip()[:_LONGEST]
    if answer.is_redirect:
        return errors.Unavailable(
            f"what answers at {endpoint} sends on to another address ({said})",
            hint="name that address as the endpoint, if you trust it",
        )
    kind = errors.Unavailable if answer.is_server_error else _kind_of(answer)
    return kind(
        f"what answers at {endpoint} is no service of vmwright: {said}",
        hint="look at the address, and at what is between",
    )


def _all(kind: type[VmwrightError]) -> Iterator[type[VmwrightError]]:
    yield kind
    for more in kind.__subclasses__():
        yield from _all(more)


_KINDS: Mapping[str, type[VmwrightError]] = {kind.__name__: kind for kind in _all(VmwrightError)}
