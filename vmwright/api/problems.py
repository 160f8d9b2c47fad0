"""Errors as RFC 9457 has them: what went wrong, with what, why, and what to do about it."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from vmwright import errors
from vmwright.errors import VmwrightError

_STATUSES: Mapping[type[VmwrightError], HTTPStatus] = {
    errors.InvalidRequest: HTTPStatus.BAD_REQUEST,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.QuotaExceeded: HTTPStatus.FORBIDDEN,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.Cancelled: HTTPStatus.CONFLICT,
    errors.Refused: HTTPStatus.CONFLICT,
    errors.HostFault: HTTPStatus.BAD_GATEWAY,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.StoreUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.DeadlinePassed: HTTPStatus.GATEWAY_TIMEOUT,
}
"""By class, or by the nearest one that it is made from; any other is our own failure."""

_WORTH_ANOTHER_TRY = frozenset({HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})
_MEDIA_TYPE = "application/problem+json"


def handle_errors(application: FastAPI) -> None:
    """Have every error leave this application as a problem."""
    application.add_exception_handler(VmwrightError, _of_ours)
    application.add_exception_handler(RequestValidationError, _of_a_bad_request)
    application.add_exception_handler(HTTPException, _of_http)
    application.add_exception_handler(Exception, _of_a_defect)


def problem(error: VmwrightError, status: HTTPStatus | None = None) -> JSONResponse:
    """The answer to a request that ended in this error."""
    status = status or _status_of(error)
    headers = {"Retry-After": "1"} if status in _WORTH_ANOTHER_TRY else {}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(document(error, status), status, headers, _MEDIA_TYPE)


def problem_of(error: VmwrightError) -> dict[str, Any]:
    """As `problem` says it, where the answer has begun already."""
    return document(error, _status_of(error))


def document(error: VmwrightError, status: HTTPStatus) -> dict[str, Any]:
    """What `problem` says."""
    return {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "detail": error.message,
        "code": type(error).__name__,
        "task": None,
        "host": error.host,
        "cause": _cause_of(error),
        "hint": error.hint or None,
        "retryable": status in _WORTH_ANOTHER_TRY,
    }


def _status_of(error: VmwrightError) -> HTTPStatus:
    known = (_STATUSES.get(kind) for kind in type(error).__mro__)
    return next(filter(None, known), HTTPStatus.INTERNAL_SERVER_ERROR)


def _cause_of(error: VmwrightError) -> str | None:
    """Only errors of ours say nothing that must not be shown."""
    cause = error.__cause__
    return cause.message if isinstance(cause, VmwrightError) else None


async def _of_ours(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, VmwrightError)
    return problem(error)


async def _of_a_bad_request(_request: Request, error: Exception) -> JSONResponse:
    """Without what was sent: it could be a secret."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part != "body")
    said = str(first["msg"]).removeprefix("Value error, ")
    return problem(errors.InvalidRequest(f"{where}: {said}" if where else said))


async def _of_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    kind = errors.NotFound if status is HTTPStatus.NOT_FOUND else errors.InvalidRequest
    answer = problem(kind(f"{status.phrase}: see /v1/openapi.json"), status)
    answer.headers.update(error.headers or {})
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        answer.headers["Allow"] = ", ".join(sorted(_methods_at(request)))
    return answer


def _methods_at(request: Request) -> set[str]:
    """Every method that there is at a path: each of them is a route of its own."""
    described, path = request.app.openapi()["paths"], request.scope["path"]
    fits = [one for one in described if one == path or compile_path(one)[0].match(path)]
    # What has a name of its own is no thing that is named so.
    return {method.upper() for method in described[min(fits, key=lambda one: one != path)]}


async def _of_a_defect(_request: Request, _error: Exception) -> JSONResponse:
    return problem(errors.Internal("a defect of vmwright: the service's log has the traceback"))
