"""Whether the service lives, and whether it can work: for those who watch over it."""

import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from vmwright.api.identity import front_of
from vmwright.errors import VmwrightError

if TYPE_CHECKING:
    from vmwright.worker import Standing

router = APIRouter(tags=["health"])

_LATE = 10.0
"""Seconds without a word after which a service does not serve; it says one each second."""


class Pulse:
    """How a service stands, as it says itself again and again."""

    def __init__(self) -> None:
        self._told: float | None = None
        self._silent_for = 0.0

    def note(self, standing: "Standing") -> None:
        """Take in what it says now."""
        self._told, self._silent_for = time.monotonic(), standing.silent_for

    def status(self) -> str:
        """`ok`, `starting` or `work`."""
        if self._told is None:
            return "starting"
        silent = max(self._silent_for, time.monotonic() - self._told)
        return "work" if silent > _LATE else "ok"


@router.get("/healthz")
def lives() -> dict[str, str]:
    """That it answers is all there is to say."""
    return {"status": "ok"}


@router.get("/readyz")
def is_ready(request: Request) -> JSONResponse:
    """Whether what is asked for would be done; 503 if not, with what is in the way: `starting`,
    `store` (it does not answer, or came from a backup), or `work` (nobody looks for any)."""
    state = request.app.state
    assert isinstance(state.pulse, Pulse)
    status: str = state.pulse.status()
    try:
        front_of(request).controller.check()
    except VmwrightError:
        status = "store"
    ready = status == "ok"
    return JSONResponse(
        {"status": status}, HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
    )
