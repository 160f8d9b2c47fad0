"""What Prometheus asks for."""

from fastapi import APIRouter, Depends, Request, Response

from vmwright.api.identity import speaking
from vmwright.controller import Controller
from vmwright.metrics import Metrics


def routes(metrics: Metrics, *, is_open: bool) -> APIRouter:
    """GET /metrics: for whoever may see the deployment in numbers, or for all if it is open."""
    guards = [] if is_open else [Depends(_measuring)]
    router = APIRouter(tags=["health"], dependencies=guards)

    @router.get("/metrics", response_class=Response)
    def tell(request: Request) -> Response:
        """Counters and gauges, as Prometheus reads them."""
        text, media_type = metrics.told(request.headers.get("Accept", ""))
        return Response(text, media_type=media_type)

    return router


def _measuring(controller: Controller = Depends(speaking)) -> None:  # noqa: B008 - FastAPI's way
    controller.inventory.rights.measure()
