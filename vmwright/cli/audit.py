"""The command that compares hosts and store."""

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

from vmwright.cli.command import Lister
from vmwright.cli.outcomes import OWING
from vmwright.errors import InvalidRequest


class Audit(Lister):
    """List what is not as it should be in the store and on hosts. Ends with 3 if there is any.

    It changes nothing, unless --repair is given.
    """

    shown_columns = ("host", "kind", "key", "verdict", "instance_id", "why", "remedy", "outcome")
    short_columns = ("host", "kind", "key", "verdict", "why")

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--repair", action="store_true", help="remove what is left over of what has ended"
        )
        parser.add_argument(
            "--adopt-unknown",
            action="store_true",
            help="with --repair: also remove what is ours and the store does not know",
        )
        parser.add_argument(
            "--all", action="store_true", help="show also what is foreign or ends by itself"
        )

    def describe(self, arguments: argparse.Namespace) -> Iterable[Mapping[str, Any]]:
        upkeep = self.session.controller.upkeep
        if not arguments.repair:
            if arguments.adopt_unknown:
                raise InvalidRequest("--adopt-unknown says what to repair: it goes with --repair")
            found = upkeep.audit(everything=arguments.all)
            if upkeep.needs_eyes(found):
                self.exit_code = OWING
            return [one | {"outcome": None} for one in found]
        if arguments.all:
            raise InvalidRequest("--all shows what is never repaired: it does not go with --repair")
        done = upkeep.repair(adopt_unknown=arguments.adopt_unknown)
        if any(one["outcome"] != "removed" for one in done):
            self.exit_code = OWING
        return done

    def _chosen(self, arguments: argparse.Namespace) -> tuple[str, ...]:
        chosen = super()._chosen(arguments)
        repaired = arguments.repair and "outcome" not in chosen
        return (*chosen, "outcome") if repaired else chosen
