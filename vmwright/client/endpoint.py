"""Where a service is, and whether a token may go there."""

import ipaddress

import httpx

from vmwright.errors import InvalidRequest

_PORTS = {"http": 80, "https": 443}


def checked_endpoint(text: str, *, insecure: bool) -> httpx.URL:
    """The address of a service, without a slash at its end.

    `InvalidRequest` for what is none; and without `insecure` for one to which a token would go in
    clear over a network.
    """
    try:
        url = httpx.URL(text.strip())
    except httpx.InvalidURL as error:
        raise _no_endpoint(str(error)) from None
    if url.userinfo:
        raise _no_endpoint("a name or password is no part of it")
    if url.scheme not in _PORTS or not url.host or url.query or url.fragment:
        raise _no_endpoint(f"{text!r} is not http://HOST:PORT or https://HOST")
    if url.scheme == "http" and not insecure and not is_loopback(url):
        raise InvalidRequest(
            f"the token would go to {url.host} in clear",
            hint="use https, or a tunnel to a port of this machine; or say --insecure",
        )
    return url.copy_with(raw_path=url.raw_path.rstrip(b"/") or b"/")


def is_loopback(url: httpx.URL) -> bool:
    """Whether what is sent there stays on this machine."""
    if url.host == "localhost":
        return True
    try:
        return ipaddress.ip_address(url.host).is_loopback
    except ValueError:
        return False


def checked_token(text: str) -> str:
    """`InvalidRequest` for what can be none, which is not repeated."""
    token = text.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidRequest(
            "what is given as the token is none: a token is one word",
            hint="the service's own is in the file `token` of its state_dir",
        )
    return token


def _no_endpoint(why: str) -> InvalidRequest:
    return InvalidRequest(
        f"the endpoint is no address of a service: {why}", hint="such as http://127.0.0.1:8765"
    )
