"""The application: every route, behind its tokens, with errors as problems."""

from collections.abc import Mapping
from functools import partial
from importlib.metadata import version

from fastapi import APIRouter, Depends, FastAPI

from vmwright.admission import Caller
from vmwright.api import (
    consoles,
    events,
    flavors,
    flows,
    health,
    hosts,
    images,
    instances,
    key_pairs,
    me,
    metrics,
    networks,
    operations,
    ports,
    quotas,
    security_groups,
    server_groups,
    tokens,
    upkeep,
    volumes,
    watching,
)
from vmwright.api.access import PREFIX, Access
from vmwright.api.description import ADDRESS, describe, name_of
from vmwright.api.guards import BoundedBodies, OnlyKnownNames
from vmwright.api.identity import Front, speaking
from vmwright.api.names import EscapedSlashes
from vmwright.api.problems import handle_errors
from vmwright.controller import Controller
from vmwright.feed import Feed
from vmwright.metrics import Metrics

_TITLE = "vmwright"
_ROUTES = (
    instances,
    consoles,
    operations,
    events,
    watching,
    flows,
    images,
    flavors,
    networks,
    ports,
    volumes,
    key_pairs,
    security_groups,
    server_groups,
    quotas,
    hosts,
    upkeep,
    tokens,
    me,
)


def make_application(
    controller: Controller,
    feed: Feed,
    own: Mapping[str, Caller],
    *,
    names: frozenset[str] | None = None,
    pulse: health.Pulse | None = None,
) -> FastAPI:
    """An ASGI application around a controller and its feed. Whoever made them closes them: the
    feed before the server, as streams end with it, the controller after it.

    `own` are tokens that are known besides those of the store, by their digests. `names` are the
    host names under which it may be asked; None is any. `pulse` says whether work is looked for.
    """

    application = FastAPI(
        title=_TITLE,
        version=version("vmwright"),
        openapi_url=ADDRESS,
        generate_unique_id_function=name_of,
        docs_url=None,
        redoc_url=None,
    )
    application.openapi = partial(describe, application)  # type: ignore[method-assign]
    application.state.feed = feed
    application.state.pulse = pulse or health.Pulse()
    application.state.consoles = consoles.Consoles()
    application.state.front = Front(controller, own)
    handle_errors(application)
    private = APIRouter(prefix=PREFIX, dependencies=[Depends(speaking)])
    for routes in _ROUTES:
        private.include_router(routes.router)
    application.include_router(private)
    _measure(application, controller, feed)
    application.include_router(health.router)
    application.add_middleware(EscapedSlashes)
    application.add_middleware(BoundedBodies, streamed=("POST", "/v1/images"))
    application.add_middleware(OnlyKnownNames, names=names)
    return application


def _measure(application: FastAPI, controller: Controller, feed: Feed) -> None:
    """Count what happens, tell it unless that is off, and write down who asks for what."""
    measured = Metrics(controller.overview, feed)
    who = controller.settings.api.metrics
    if who != "off":
        application.include_router(metrics.routes(measured, is_open=who == "open"))
    application.add_middleware(Access, answered=measured.requests.answered)
