"""Commands on what is owed on hosts."""

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

from vmwright.cli.command import Command, Lister


class List(Lister):
    """List what must still become absent on hosts, the oldest first."""

    shown_columns = (
        "id",
        "kind",
        "key",
        "host",
        "reason",
        "operation_id",
        "instance_id",
        "tries",
        "error",
        "not_before",
        "created_at",
    )
    short_columns = ("id", "kind", "key", "host", "reason", "tries", "error")

    def describe(self, arguments: argparse.Namespace) -> Iterable[Mapping[str, Any]]:
        del arguments
        return self.session.controller.debts()


class Drop(Command):
    """Have nobody pay a debt any more: what is owed is not there, or its host never lets it go.

    What is still there stays, and vmwright audit shows it.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("debt", metavar="ID")
        parser.add_argument("--why", required=True, metavar="TEXT", help="kept with its operation")

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        self.session.controller.drop_debt(parsed_args.debt, parsed_args.why)
