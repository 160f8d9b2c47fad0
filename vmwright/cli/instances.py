"""Commands on instances."""

import argparse
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from vmwright.cli import parsing
from vmwright.cli.command import Columns, Lister, ShowOne
from vmwright.cli.operations import COLUMNS as OPERATION_COLUMNS
from vmwright.cli.operations import SHORT_COLUMNS as OPERATION_SHORT_COLUMNS
from vmwright.cli.outcomes import exit_code_of
from vmwright.errors import DeadlinePassed

if TYPE_CHECKING:
    from vmwright.request import CreateRequest

_COLUMNS = (
    "id",
    "name",
    "vm_state",
    "task_state",
    "power_state",
    "host",
    "addresses",
    "volumes",
    "fault",
    "operation_id",
    "image",
    "flavor",
    "hostname",
    "metadata",
    "created_at",
    "launched_at",
    "deleted_at",
)
_MAX_USER_DATA = 65535
_MAX_KEY = 16384


class Create(ShowOne):
    """Build an instance, or take everything back that was made for it."""

    shown_columns = _COLUMNS

    def choose_columns(self, arguments: argparse.Namespace) -> Columns:
        return _COLUMNS if arguments.wait else OPERATION_COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--image", required=True, help="what the root disk begins as")
        parser.add_argument("--flavor", required=True, help="processors, memory and root disk")
        parser.add_argument(
            "--kernel", metavar="IMAGE", help="boot this kernel, not the root disk's loader"
        )
        parser.add_argument("--ramdisk", metavar="IMAGE", help="the initial RAM disk of --kernel")
        _add_devices(parser)
        _add_guest_data(parser)
        _add_patience(parser)

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        request = _request(arguments)
        controller = self.session.controller
        if not arguments.wait:
            operation = controller.submit(request)
            self.session.tell("stored, and run by whoever resumes (run it here: vmwright resume)")
            return controller.describe_operation(controller.operation(operation.id))
        from vmwright.cli.progress import follow

        operation = controller.create(request)
        try:
            ended = follow(self.session, operation, arguments.timeout)
            self.exit_code = exit_code_of(ended)
        except DeadlinePassed as error:
            self.session.complain(error)
            self.exit_code = error.exit_code
        return controller.describe_instance(controller.instance_of(operation))


class List(Lister):
    """List instances."""

    shown_columns = _COLUMNS
    short_columns = ("id", "name", "vm_state", "task_state", "power_state", "host", "addresses")

    def describe(self, arguments: argparse.Namespace) -> Iterable[Mapping[str, Any]]:
        del arguments
        controller = self.session.controller
        return map(controller.describe_instance, controller.instances())


class Show(ShowOne):
    """Show an instance."""

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="name or id")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        controller = self.session.controller
        return controller.describe_instance(controller.instance(arguments.name))


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


def _add_devices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--network",
        action="append",
        default=[],
        type=parsing.network,
        metavar="N[,ip=A][,mac=M]",
        help="connect to this network; may be repeated",
    )
    parser.add_argument(
        "--volume",
        action="append",
        default=[],
        type=parsing.volume,
        metavar="size=GIB[,image=I][,name=X][,delete=true|false] | volume=V",
        help="make a volume, or use one that exists; may be repeated",
    )


def _add_guest_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--user-data", metavar="FILE", help="what cloud-init reads in the guest")
    parser.add_argument(
        "--property",
        action="append",
        default=[],
        type=parsing.pair,
        metavar="KEY=VALUE",
        help="metadata of the instance; may be repeated",
    )
    key = parser.add_mutually_exclusive_group()
    key.add_argument("--key-file", metavar="FILE", help="ssh public key that the guest admits")
    key.add_argument("--key", metavar="TEXT", help="the same as text")
    drive = parser.add_mutually_exclusive_group()
    drive.add_argument(
        "--use-config-drive",
        "--config-drive",
        dest="config_drive",
        action="store_true",
        default=True,
        help="give the guest its data on a disk (the default)",
    )
    drive.add_argument(
        "--no-config-drive", dest="config_drive", action="store_false", help="give it none"
    )


def _add_patience(parser: argparse.ArgumentParser) -> None:
    patience = parser.add_mutually_exclusive_group()
    patience.add_argument(
        "--wait", action="store_true", default=True, help="wait until it is active (the default)"
    )
    patience.add_argument(
        "--no-wait", dest="wait", action="store_false", help="store it for another process to run"
    )
    parser.add_argument(
        "--timeout",
        type=parsing.seconds,
        metavar="SECONDS",
        help="wait no longer than this; nothing is taken back then",
    )


def _request(arguments: argparse.Namespace) -> "CreateRequest":
    from vmwright.request import CreateRequest

    user_data, key = None, arguments.key
    if arguments.user_data is not None:
        user_data = parsing.content(arguments.user_data, _MAX_USER_DATA)
    if arguments.key_file is not None:
        key = parsing.text(arguments.key_file, _MAX_KEY)
    return CreateRequest.parse(
        name=arguments.name,
        image=arguments.image,
        flavor=arguments.flavor,
        networks=arguments.network,
        volumes=arguments.volume,
        user_data=user_data,
        metadata=parsing.unique(arguments.property, "--property"),
        key=key,
        config_drive=arguments.config_drive,
        kernel=arguments.kernel,
        ramdisk=arguments.ramdisk,
    )
