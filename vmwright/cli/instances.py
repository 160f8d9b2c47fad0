"""Commands on instances."""

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

from vmwright.cli import parsing
from vmwright.cli.command import Lister, ShowOne
from vmwright.cli.operations import COLUMNS as OPERATION_COLUMNS
from vmwright.cli.operations import SHORT_COLUMNS as OPERATION_SHORT_COLUMNS

COLUMNS = (
    "id",
    "name",
    "vm_state",
    "task_state",
    "power_state",
    "host",
    "addresses",
    "volumes",
    "fault",
    "held",
    "operation_id",
    "image",
    "flavor",
    "hostname",
    "metadata",
    "tags",
    "description",
    "access_ip_v4",
    "access_ip_v6",
    "key_name",
    "security_groups",
    "config_drive",
    "shutdown_terminate",
    "availability_zone",
    "project_id",
    "user_id",
    "reservation_id",
    "created_at",
    "launched_at",
    "deleted_at",
)
SHORT_COLUMNS = ("id", "name", "vm_state", "task_state", "power_state", "host", "addresses")


class List(Lister):
    """List instances."""

    shown_columns = COLUMNS
    short_columns = SHORT_COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--reservation", metavar="ID", help="only those of the request with this reservation"
        )
        parser.add_argument("--limit", type=parsing.count, metavar="N", help="no more than these")
        parser.add_argument(
            "--marker", metavar="ID", help="only those after this one: the last of a page before"
        )

    def describe(self, arguments: argparse.Namespace) -> Iterable[Mapping[str, Any]]:
        reader = self.session.reader
        pages = reader.pages(arguments.reservation, after=arguments.marker, limit=arguments.limit)
        return (one for page in pages for one in reader.describe_instances(page))


class Show(ShowOne):
    """Show an instance."""

    shown_columns = COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="name or id")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        reader = self.session.reader
        return reader.describe_instance(reader.instance(arguments.name))


class Delete(Lister):
    """Delete instances with all that was made for them; none of them if one does not exist."""

    shown_columns = OPERATION_COLUMNS
    short_columns = OPERATION_SHORT_COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("names", nargs="+", metavar="NAME", help="name or id")
        parser.add_argument("--timeout", type=parsing.seconds, metavar="SECONDS")

    def describe(self, arguments: argparse.Namespace) -> Iterable[Mapping[str, Any]]:
        from vmwright.cli.progress import follow_all

        controller = self.session.controller
        doomed = dict.fromkeys(controller.instance(name).id for name in arguments.names)
        for instance in doomed:
            operation = controller.delete(instance)
            self.session.in_hand[operation.id] = operation
        begun = [*self.session.in_hand.values()]
        ended, self.exit_code = follow_all(self.session, begun, arguments.timeout)
        return ended
