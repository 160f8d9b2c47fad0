"""Commands that build instances, from options or from a file."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cliff import show
from cliff.formatters.base import ListFormatter

from vmwright.cli import parsing
from vmwright.cli.command import Columns, Command, check_columns, row_of
from vmwright.cli.create_flags import add_request_options, fields_of_request
from vmwright.cli.instances import COLUMNS, SHORT_COLUMNS
from vmwright.cli.operations import COLUMNS as OPERATION_COLUMNS
from vmwright.cli.operations import SHORT_COLUMNS as OPERATION_SHORT_COLUMNS
from vmwright.cli.values import DATA_FORMATS
from vmwright.errors import InvalidRequest

if TYPE_CHECKING:
    from vmwright.admission import Reservation
    from vmwright.request import CreateRequest

_TOLD_ONCE = "admin_password"
_SECRETS = ("admin_password", "user_data", "injected_files")


class Create(show.ShowOne, Command):
    """Build instances, or take everything back that was made for them.

    ``-f`` takes an output format, or a YAML file of requests as `spec` prints them.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", nargs="?")
        parser.add_argument(
            "--spec", metavar="FILE", help="build what this YAML file describes; see: vmwright spec"
        )
        add_request_options(parser)
        _add_patience(parser)

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        self._file: str | None = None
        known = sorted(self._formatter_plugins.names())
        chosen = [self.formatter_default]

        def format_or_file(text: str) -> str:
            if text in known:
                chosen[0] = text
            elif Path(text).is_file():
                self._file = text
            else:
                raise argparse.ArgumentTypeError(
                    f"{text!r} is neither a file nor one of {', '.join(known)}"
                )
            return chosen[0]

        (option,) = (action for action in parser._actions if action.dest == "formatter")
        option.choices, option.type = None, format_or_file
        option.metavar = f"{{{','.join(known)}}} | FILE"
        return parser

    def choose_columns(self, arguments: argparse.Namespace) -> Columns:
        """What is shown with these arguments."""
        return (*(COLUMNS if arguments.wait else OPERATION_COLUMNS), _TOLD_ONCE)

    def run(self, parsed_args: argparse.Namespace) -> int:
        check_columns(parsed_args.columns, self.choose_columns(parsed_args))
        super().run(parsed_args)
        return self.exit_code

    def choose_short_columns(self, arguments: argparse.Namespace) -> Columns:
        """What people are shown of each of several."""
        return (*(SHORT_COLUMNS if arguments.wait else OPERATION_SHORT_COLUMNS), _TOLD_ONCE)

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Columns, Sequence[Any]]:
        requests = self._requests(parsed_args)
        self._several = len(requests) > 1 or requests[0].count > 1
        # Every format but one that sets a shell's variables can show one thing or several.
        if self._several and not isinstance(self.formatter, ListFormatter):
            raise InvalidRequest(f"format {parsed_args.formatter!r} shows one instance only")
        built = self._build(requests, parsed_args)
        columns = self._columns_of(parsed_args)
        rows = [row_of(thing, columns, parsed_args.formatter) for thing in built]
        return columns, rows if self._several else rows[0]

    def _columns_of(self, arguments: argparse.Namespace) -> Columns:
        """All of them, but for people who look at several instances and do not choose."""
        if not self._several or arguments.columns or arguments.formatter in DATA_FORMATS:
            return self.choose_columns(arguments)
        return self.choose_short_columns(arguments)

    def produce_output(
        self, parsed_args: argparse.Namespace, column_names: Sequence[str], data: Sequence[Any]
    ) -> int:
        if not self._several:
            return super().produce_output(parsed_args, column_names, data)
        columns, selector = self._generate_columns_and_selector(parsed_args, column_names)
        if selector:
            data = [list(self._compress_iterable(row, selector)) for row in data]
        assert isinstance(self.formatter, ListFormatter), "take_action has seen to that"
        self.formatter.emit_list(columns, data, self.app.stdout, parsed_args)
        return 0

    def _build(
        self, requests: "Sequence[CreateRequest]", arguments: argparse.Namespace
    ) -> list[Mapping[str, Any]]:
        """Everything that was asked for, as it stands once it was waited for."""
        from vmwright.cli.progress import follow_all

        controller = self.session.controller
        if not arguments.wait:
            reservations = controller.submit_all(*requests)
            self.session.tell("stored, and run by whoever resumes (run it here: vmwright resume)")
            return self._described(reservations, wait=False)
        reservations = controller.create_all(*requests)
        begun = [operation for one in reservations for operation in one.operations]
        _, self.exit_code = follow_all(self.session, begun, arguments.timeout)
        return self._described(reservations, wait=True)

    def _requests(self, arguments: argparse.Namespace) -> "list[CreateRequest]":
        from vmwright.request import CreateRequest

        fields = fields_of_request(arguments)
        if arguments.spec and self._file:
            raise InvalidRequest("-f and --spec both name a file to build from")
        file = arguments.spec or self._file
        if file is None:
            return [CreateRequest.parse(**_complete(fields))]
        if fields:
            raise InvalidRequest(
                f"the file {file!r} says what to build, and so do options: {', '.join(fields)}"
            )
        from vmwright.cli.spec_file import read_requests

        return read_requests(file)

    def _described(
        self, reservations: "Sequence[Reservation]", *, wait: bool
    ) -> list[Mapping[str, Any]]:
        controller = self.session.controller
        found: list[Mapping[str, Any]] = []
        for reservation in reservations:
            for begun in reservation.operations:
                operation = controller.operation(begun.id)
                described = (
                    controller.describe_instance(controller.instance_of(operation))
                    if wait
                    else controller.describe_operation(operation)
                )
                password = reservation.passwords.get(operation.instance_id)
                found.append({**described, _TOLD_ONCE: password})
        return found


class Spec(Command):
    """Print the request that these options make, as a file for `create`."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument(
            "--show-secrets",
            action="store_true",
            help="print passwords, user data and injected files, too: in clear",
        )
        add_request_options(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        from vmwright.cli.spec_file import written
        from vmwright.request import CreateRequest

        fields = _complete(fields_of_request(parsed_args))
        CreateRequest.parse(**fields)
        secrets = [name for name in _SECRETS if fields.get(name)]
        if secrets and not parsed_args.show_secrets:
            raise InvalidRequest(
                f"{', '.join(secrets)} would be printed in clear",
                hint="leave out the options for it and add it to the file; or say --show-secrets",
            )
        self.session.stdout.write(written(fields))


def _complete(fields: dict[str, Any]) -> dict[str, Any]:
    needed = {"name": "NAME", "flavor": "--flavor"}
    missing = [option for name, option in needed.items() if name not in fields]
    if missing:
        raise InvalidRequest(f"the following arguments are required: {', '.join(missing)}")
    return fields


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
