"""Who asks: each token stands for a caller."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from vmwright.admission import Caller
from vmwright.api.tokens import digest
from vmwright.controller import Controller
from vmwright.errors import Unauthenticated

_MOST_CALLERS = 256
"""Callers whose controllers are kept at hand."""

_BEARER = HTTPBearer(auto_error=False, description="A token of this service.")


class Front:
    """One controller, as each of the callers sees it whose tokens are known. Thread-safe."""

    def __init__(self, controller: Controller, tokens: Mapping[str, Caller]) -> None:
        """`tokens` are by the SHA-256 digest of each, in hexadecimal digits."""
        self.controller = controller
        self._tokens = tokens
        self._seen: dict[Caller, Controller] = {}

    def of_token(self, token: str) -> Controller:
        """`Unauthenticated` unless the token is known."""
        caller = self._tokens.get(digest(token))
        if caller is not None:
            return self._of(caller)
        raise Unauthenticated(
            "this token is not known here",
            hint="the service's own is in the file `token` of its state_dir",
        )

    def _of(self, caller: Caller) -> Controller:
        known = self._seen.get(caller)
        if known is None:
            if len(self._seen) >= _MOST_CALLERS:
                self._seen.clear()
            known = self._seen[caller] = self.controller.on_behalf_of(caller)
        return known


def _front(request: Request) -> Front:
    front = request.app.state.front
    assert isinstance(front, Front)
    return front


def speaking(
    request: Request,
    shown: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
) -> Controller:
    """The controller, on behalf of whoever asks."""
    if shown is None:
        raise Unauthenticated(
            "no token was shown", hint="send it as a header: Authorization: Bearer TOKEN"
        )
    controller = _front(request).of_token(shown.credentials)
    request.state.caller = controller.caller
    return controller


Speaking = Annotated[Controller, Depends(speaking)]
