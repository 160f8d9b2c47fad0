"""The routes of the page, with the headers that keep strangers from using it."""

from collections.abc import Mapping
from functools import cache

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from vmwright.web.files import File, Files

router = APIRouter(include_in_schema=False)

ADDRESSES = (
    "/",
    "/operations/{operation}",
    "/instances",
    "/instances/{instance}",
    "/create",
    "/hosts",
    "/audit",
)
"""What a link may name: the page shows something else at each of them."""

_METHODS = ["GET", "HEAD"]
_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}
_GUARDS = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in _POLICY.items()),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_ASK_AGAIN = {"Cache-Control": "no-cache"}
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}


@cache
def _files() -> Files:
    return Files()


def index(request: Request) -> Response:
    """The page. Whoever opens it has shown no token yet: there is nothing secret in it."""
    return _answer(request, _files().index(), _ASK_AGAIN)


for _address in ADDRESSES:
    router.add_api_route(_address, index, methods=_METHODS)


@router.api_route("/page/{edition}/{name:path}", methods=_METHODS)
def part(request: Request, edition: str, name: str) -> Response:
    """A script or a style sheet. A page that was opened before an upgrade is to be loaded anew."""
    file = _files().by_name.get(name)
    if file is None or edition != _files().edition:
        raise HTTPException(404)
    return _answer(request, file, _FOR_EVER)


def _answer(request: Request, file: File, caching: Mapping[str, str]) -> Response:
    etag = f'"{file.digest}"'
    headers = {**_GUARDS, **caching, "ETag": etag, "Vary": "Accept-Encoding"}
    if etag in request.headers.get("If-None-Match", ""):
        return Response(status_code=304, headers=headers)
    body = file.body
    if file.compressed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
        body = file.compressed
        headers["Content-Encoding"] = "gzip"
    return Response(body, headers=headers, media_type=file.media_type)
