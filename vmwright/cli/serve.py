"""The command that runs for ever: a process that runs whatever its store holds."""

import argparse
import logging
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from vmwright.cli import parsing
from vmwright.cli.answering import answering, chosen
from vmwright.cli.command import Command
from vmwright.cli.lifeline import Lifeline
from vmwright.cli.notify import Notifier
from vmwright.errors import InvalidRequest, PackageMissing, SchemaMismatch, StoreRestored

if TYPE_CHECKING:
    from vmwright.settings.values import ApiSettings
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

    needs_store = True

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
        parser.add_argument(
            "--no-run", action="store_true", help="leave what is accepted to others that serve"
        )
        parser.add_argument(
            "--no-upkeep",
            action="store_true",
            help="leave debts, guests, audits and history to others that serve",
        )
        # How a crew begins its processes.
        parser.add_argument("--lifeline", type=parsing.count, help=argparse.SUPPRESS)

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
        session.runs = session.settings.service.run and not arguments.no_run
        upkeep = session.settings.service.upkeep and not arguments.no_upkeep
        api = chosen(session.settings.api, arguments.host, arguments.port, no_api=arguments.no_api)
        if not (session.runs or upkeep or api.enabled):
            raise InvalidRequest("serve: everything that it does is switched off")
        if arguments.lifeline is None and size > 1 and session.runs:
            self._serve_as_crew(size, arguments.log_format, upkeep=upkeep, api=api)
            return
        stop = session.stop_on_interrupt(log_format=arguments.log_format)
        speaker: Notifier | Lifeline = Notifier()
        if arguments.lifeline is not None:
            speaker = Lifeline(arguments.lifeline)
            speaker.follow(stop)
        herald = _Herald(speaker)
        self._introduce()
        if not api.enabled:
            self._serve_alone(herald, stop, herald.tell, upkeep=upkeep)
            return
        with answering(session, api) as note:
            self._serve_alone(herald, stop, _both(herald.tell, note), upkeep=upkeep)

    def _serve_as_crew(
        self, size: int, log_format: str | None, *, upkeep: bool, api: "ApiSettings"
    ) -> None:
        from vmwright.cli.crew import Crew

        session = self.session
        stop = session.stop_on_interrupt(_GRACE, log_format)
        session.show_log()
        LOG.info("serving with %d processes", size)
        others = ["--no-upkeep", "--no-api"]
        # One of them does what is to be done once, however many there are.
        first = [] if upkeep else ["--no-upkeep"]
        first += ["--host", api.host, "--port", str(api.port)] if api.enabled else ["--no-api"]
        crew = Crew(
            lambda number, lifeline: self._words(lifeline, first if number == 1 else others),
            size,
            Notifier(),
            not_again=frozenset({2, NO_RESTART_MENDS}),
        )
        session.at_cut_off(crew.cut_off)
        self.exit_code = crew.serve_until(stop)

    def _words(self, lifeline: int, words: Sequence[str]) -> Sequence[str]:
        return [
            *(sys.executable, "-m", "vmwright.cli.main", *self.session.options),
            *("serve", "--log-format", self.session.log_format),
            *("--lifeline", str(lifeline), *words),
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

    def _serve_alone(
        self,
        herald: "_Herald",
        stop: threading.Event,
        tick: "Callable[[Standing], object]",
        *,
        upkeep: bool,
    ) -> None:
        self.session.controller.serve_until(stop, tick, upkeep=upkeep)
        LOG.info("stopping: what runs is put down")
        herald.stopping()
        self.session.close()


def _both(
    first: "Callable[[Standing], object]", second: "Callable[[Standing], object]"
) -> "Callable[[Standing], object]":
    def told(standing: "Standing") -> None:
        first(standing)
        second(standing)

    return told


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
