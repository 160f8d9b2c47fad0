"""What a service has beside its work: answers on HTTP."""

import logging
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from vmwright.cli.session import Session
from vmwright.errors import PackageMissing

if TYPE_CHECKING:
    from vmwright.settings.values import ApiSettings
    from vmwright.worker import Standing

LOG = logging.getLogger(__name__)


def chosen(
    settings: "ApiSettings", host: str | None, port: int | None, *, no_api: bool
) -> "ApiSettings":
    """The settings, with what the command says instead."""
    return replace(
        settings,
        enabled=settings.enabled and not no_api,
        host=settings.host if host is None else host,
        port=settings.port if port is None else port,
    )


@contextmanager
def answering(
    session: Session, settings: "ApiSettings"
) -> Iterator["Callable[[Standing], object]"]:
    """Answers as long as the context lasts; gives what is to be told how the service stands."""
    from vmwright.admission import Caller

    _require_packages()
    from vmwright.api.application import make_application
    from vmwright.api.guards import names_of
    from vmwright.api.health import Pulse
    from vmwright.api.own_token import own_token
    from vmwright.api.server import Server
    from vmwright.inventory.tokens import digest
    from vmwright.web.serving import router as page

    state_dir = session.settings.state_dir
    token = own_token(state_dir)
    own = {digest(token): Caller.of(session.settings.caller)}
    pulse, feed = Pulse(), session.controller.feed()
    application = make_application(
        session.controller,
        feed,
        own,
        names=names_of(settings.host, settings.allowed_hosts),
        pulse=pulse,
    )
    application.include_router(page)
    with Server(application, settings.host, settings.port) as server, closing(feed):
        LOG.info("answering at %s; the token is in %s", server.url, state_dir / "token")
        if session.stderr.isatty():
            # Whoever sees this terminal may read that file; a log is kept, and is not told.
            session.tell(f"page: {server.url}/#token={token}")
        yield pulse.note


def _require_packages() -> None:
    try:
        import fastapi
        import uvicorn
    except ImportError as error:
        raise PackageMissing(
            f"to answer on HTTP, a package is missing: {error.name}",
            hint="pip install 'vmwright[service]', or serve without: --no-api",
        ) from error
    del fastapi, uvicorn
