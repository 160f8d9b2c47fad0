"""Who asks: each token stands for a caller."""

import asyncio
import time
from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from vmwright.admission import Caller
from vmwright.controller import Controller
from vmwright.errors import StoreUnavailable, Unauthenticated
from vmwright.inventory.tokens import digest

_MOST_KNOWN = 256
"""Callers whose controllers are kept at hand, and tokens that were looked up just now."""
_FRESH = 0.5
"""Seconds for which those who listen are not looked up again."""

_BEARER = HTTPBearer(auto_error=False, description="A token of this service.")


class Front:
    """One controller, as each of the callers sees it whose tokens are known. Thread-safe."""

    def __init__(self, controller: Controller, own: Mapping[str, Caller]) -> None:
        """`own` are tokens that are known without the store, by their digests."""
        self.controller = controller
        self._own = own
        self._seen: dict[Caller, Controller] = {}
        self._known: dict[str, tuple[float, bool]] = {}

    def of_token(self, shown: str) -> Controller:
        """`Unauthenticated` unless the token with this digest is known."""
        caller = self._own.get(shown)
        if caller is None:
            caller = self.controller.inventory.tokens.caller_of(shown)
        if caller is None:
            raise _unknown()
        return self._of(caller)

    async def knows(self, shown: str) -> bool:
        """Whether the token with this digest is known still; also where the store does not say."""
        if shown in self._own:
            return True
        looked, known = self._known.get(shown, (0.0, True))
        if time.monotonic() - looked < _FRESH:
            return known
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        try:
            caller = await asyncio.to_thread(self.controller.inventory.tokens.caller_of, shown)
        except StoreUnavailable:
            return True
        self._known[shown] = (time.monotonic(), caller is not None)
        return caller is not None

    def _of(self, caller: Caller) -> Controller:
        known = self._seen.get(caller)
        if known is None:
            if len(self._seen) >= _MOST_KNOWN:
                self._seen.clear()
            known = self._seen[caller] = self.controller.on_behalf_of(caller)
        return known


def _unknown() -> Unauthenticated:
    return Unauthenticated(
        "this token is not known here",
        hint="the service's own is in the file `token` of its state_dir; "
        "others: vmwright token list",
    )


def front_of(request: Request) -> Front:
    """The application's."""
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
    request.state.digest = digest(shown.credentials)
    controller = front_of(request).of_token(request.state.digest)
    request.state.caller = controller.caller
    return controller


async def is_known_still(request: Request) -> bool:
    """Whether the token with which something long was begun is known still."""
    return await front_of(request).knows(request.state.digest)


async def refuse_forgotten(request: Request) -> None:
    """`Unauthenticated` if the token is known no more, after something long."""
    if not await is_known_still(request):
        raise _unknown()


Speaking = Annotated[Controller, Depends(speaking)]
