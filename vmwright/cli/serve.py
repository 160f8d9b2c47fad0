"""The command that runs for ever: a process that runs whatever its store holds."""

import argparse
import logging
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from vmwright.cli import parsing
from vmwright.cli.command import Command
from vmwright.cli.lifeline import Lifeline
from vmwright.cli.notify import Notifier
from vmwright.errors import InvalidRequest, PackageMissing, SchemaMismatch, StoreRestored

if TYPE_CHECKING:
    from vmwright.worker import Standing

LOG = logging.getLogger(__name__)

NO_RESTART_MENDS = 78
"""What a service ends with that would end so again: EX_CONFIG, as systemd shows it."""

_GRACE = 5.0
"""Seconds that a crew has longer than its processes, so that they say themselves how they end."""


class Serve(Command):
    """Run what this store holds, whoever submitted it, until SIGTERM or Ctrl-C: builds, deletes,
    what was interrupted, and what the dead have left; pay debts, notice guests, and look for
    what is left over. Any number may serve one store.

    SIGTERM and Ctrl-C put what runs down and end with 0; a second one leaves at once. Ends with
    78 where somebody has to do something first, and to start it again is of no use.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--workers",
            type=parsing.count,
            metavar="N",
            help="share the work between N processes; without it, [service] workers",
        )
        parser.add_argument("--host", help="address to listen on; without it, [api] host")
        parser.add_argument(
            "--port", type=parsing.count, help="port to listen on; without it, [api] port"
        )
        parser.add_argument("--no-api", action="store_true", help="do not answer on HTTP")
        parser.add_argument(
            "--log-format",
            choices=("text", "json"),
            help="lines of the log; without it, [service] log_format",
        )
        # How a crew begins its processes.
        parser.add_argument("--lifeline", type=parsing.count, help=argparse.SUPPRESS)
        parser.add_argument("--no-upkeep", action="store_true", help=argparse.SUPPRESS)

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        try:
            self._serve(parsed_args)
        except (StoreRestored, SchemaMismatch, PackageMissing) as error:
            self.session.complain(error)
            self.exit_code = NO_RESTART_MENDS

    def _serve(self, arguments: argparse.Namespace) -> None:
        session = self.session
        size = session.settings.service.workers if arguments.workers is None else arguments.workers
        if size < 1:
            raise InvalidRequest("--workers: at least one process serves")
        if arguments.lifeline is None and size > 1:
            self._serve_as_crew(arguments, size)
            return
        stop = session.stop_on_interrupt(log_format=arguments.log_format)
        speaker: Notifier | Lifeline = Notifier()
        if arguments.lifeline is not None:
            speaker = Lifeline(arguments.lifeline)
            speaker.follow(stop)
        self._introduce()
        with self._answering(arguments):
            self._serve_alone(_Herald(speaker), stop, upkeep=not arguments.no_upkeep)

    @contextmanager
    def _answering(self, arguments: argparse.Namespace) -> Iterator[None]:
        """On HTTP, unless that is switched off, as long as the context lasts."""
        session = self.session
        settings = session.settings
        if arguments.no_api or not settings.api.enabled:
            yield
            return
        from vmwright.admission import Caller
        from vmwright.api.application import make_application
        from vmwright.api.server import Server
        from vmwright.api.tokens import digest, own_token

        tokens = {digest(own_token(settings.state_dir)): Caller.of(settings.caller)}
        host = settings.api.host if arguments.host is None else arguments.host
        port = settings.api.port if arguments.port is None else arguments.port
        feed = session.controller.feed()
        application = make_application(session.controller, feed, tokens)
        with Server(application, host, port) as server, closing(feed):
            token = settings.state_dir / "token"
            LOG.info("answering at %s; the token is in %s", server.url, token)
            yield

    def _serve_as_crew(self, arguments: argparse.Namespace, size: int) -> None:
        from vmwright.cli.crew import Crew

        session = self.session
        stop = session.stop_on_interrupt(_GRACE, arguments.log_format)
        session.show_log()
        LOG.info("serving with %d processes", size)
        crew = Crew(self._words, size, Notifier(), not_again=frozenset({2, NO_RESTART_MENDS}))
        session.at_cut_off(crew.cut_off)
        self.exit_code = crew.serve_until(stop)

    def _words(self, number: int, lifeline: int) -> Sequence[str]:
        # One of them does what is to be done once, however many there are.
        upkeep = [] if number == 1 else ["--no-upkeep", "--no-api"]
        return [
            *(sys.executable, "-m", "vmwright.cli.main", *self.session.options),
            *("serve", "--log-format", self.session.log_format),
            *("--lifeline", str(lifeline), *upkeep),
        ]

    def _introduce(self) -> None:
        from vmwright.persistence.database import shown_url

        session = self.session
        controller, settings = session.controller, session.settings
        hosts = ", ".join(host.name for host in controller.inventory.hosts()) or "none yet"
        LOG.info(
            "serving %s: backend %s, hosts %s, %d operations side by side",
            shown_url(settings.database),
            settings.backend,
            hosts,
            settings.operations.parallel,
        )

    def _serve_alone(self, herald: "_Herald", stop: threading.Event, *, upkeep: bool) -> None:
        self.session.controller.serve_until(stop, herald.tell, upkeep=upkeep)
        LOG.info("stopping: what runs is put down")
        herald.stopping()
        self.session.close()


class _Herald:
    """Tells systemd, or the crew that it is of, what has changed."""

    def __init__(self, notifier: Notifier | Lifeline) -> None:
        self._notifier = notifier
        self._told = ""

    def tell(self, standing: "Standing") -> None:
        status = f"STATUS=operations that run here: {standing.running}"
        if status != self._told:
            # Said more than once, it is heard once.
            self._notifier.say("READY=1", status)
            self._told = status
        self._notifier.alive(standing.silent_for)

    def stopping(self) -> None:
        self._notifier.say("STOPPING=1", "STATUS=what runs is put down")
