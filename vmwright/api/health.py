"""Whether the service lives, and whether it can work: for those who watch over it."""

from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from vmwright.api.identity import Front
from vmwright.errors import VmwrightError

router = APIRouter(tags=["health"])


@router.get("/healthz")
def lives() -> dict[str, str]:
    """That it answers is all there is to say."""
    return {"status": "ok"}


@router.get("/readyz")
def is_ready(request: Request) -> JSONResponse:
    """Whether the store answers; 503 if it does not."""
    front = request.app.state.front
    assert isinstance(front, Front)
    try:
        front.controller.operations(limit=1)
    except VmwrightError:
        return JSONResponse({"status": "store"}, HTTPStatus.SERVICE_UNAVAILABLE)
    return JSONResponse({"status": "ok"})
