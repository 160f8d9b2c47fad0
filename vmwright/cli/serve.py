"""The command that runs for ever: a process that runs whatever its store holds."""

import argparse
import logging
from typing import TYPE_CHECKING

from vmwright.cli.command import Command
from vmwright.cli.notify import Notifier
from vmwright.errors import PackageMissing, SchemaMismatch, StoreRestored

if TYPE_CHECKING:
    from vmwright.worker import Standing

LOG = logging.getLogger(__name__)

NO_RESTART_MENDS = 78
"""What a service ends with that would end so again: EX_CONFIG, as systemd shows it."""


class Serve(Command):
    """Run what this store holds, whoever submitted it, until SIGTERM or Ctrl-C: builds, deletes,
    what was interrupted, and what the dead have left; pay debts, notice guests, and look for
    what is left over. Any number may serve one store.

    SIGTERM and Ctrl-C put what runs down and end with 0; a second one leaves at once. Ends with
    78 where somebody has to do something first, and to start it again is of no use.
    """

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        del parsed_args
        try:
            self._serve()
        except (StoreRestored, SchemaMismatch, PackageMissing) as error:
            self.session.complain(error)
            self.exit_code = NO_RESTART_MENDS

    def _serve(self) -> None:
        from vmwright.persistence.database import shown_url

        session = self.session
        stop = session.stop_on_interrupt()
        controller, settings = session.controller, session.settings
        hosts = ", ".join(host.name for host in controller.inventory.hosts()) or "none yet"
        LOG.info(
            "serving %s: backend %s, hosts %s, %d operations side by side",
            shown_url(settings.database),
            settings.backend,
            hosts,
            settings.operations.parallel,
        )
        herald = _Herald(Notifier())
        controller.serve_until(stop, herald.tell)
        LOG.info("stopping: what runs is put down")
        herald.stopping()
        session.close()


class _Herald:
    """Tells systemd what has changed."""

    def __init__(self, notifier: Notifier) -> None:
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
