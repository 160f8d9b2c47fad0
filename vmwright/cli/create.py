"""Commands that build instances, from options or from a file."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from vmwright.cli import parsing
from vmwright.cli.command import Columns, Command, ShowOne, row_of
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


class Create(ShowOne):
    """Build instances, or take everything back that was made for them.

    ``-f`` takes an output format, or a YAML file of requests as `spec` prints them.
    """

    shown_columns: ClassVar[Columns] = (*COLUMNS, _TOLD_ONCE)

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
        if arguments.wait:
            return self.shown_columns
        return (*OPERATION_COLUMNS, _TOLD_ONCE)

    def choose_short_columns(self, arguments: argparse.Namespace) -> Columns:
        """What people are shown of each of several."""
        return SHORT_COLUMNS if arguments.wait else OPERATION_SHORT_COLUMNS

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Columns, Sequence[Any]]:
        built = self._build(parsed_args)
        self._several = len(built) > 1
        columns = self.choose_columns(parsed_args)
        if self._several and parsed_args.formatter not in DATA_FORMATS | {"value"}:
            short = SHORT_COLUMNS if parsed_args.wait else OPERATION_SHORT_COLUMNS
            columns = (*short, _TOLD_ONCE)
        rows = [row_of(thing, columns, parsed_args.formatter) for thing in built]
        return columns, rows if self._several else rows[0]

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        (only,) = self._build(arguments)
        return only

    def produce_output(
        self, parsed_args: argparse.Namespace, column_names: Sequence[str], data: Sequence[Any]
    ) -> int:
        if not self._several:
            return super().produce_output(parsed_args, column_names, data)
        columns, selector = self._generate_columns_and_selector(parsed_args, column_names)
        if selector:
            data = [list(self._compress_iterable(row, selector)) for row in data]
        # Every format but one that sets a shell's variables can show one thing or several.
        if not hasattr(self.formatter, "emit_list"):
            raise InvalidRequest(f"format {parsed_args.formatter!r} shows one instance only")
        self.formatter.emit_list(columns, data, self.app.stdout, parsed_args)
        return 0

    def _build(self, arguments: argparse.Namespace) -> list[Mapping[str, Any]]:
        """Everything that was asked for, as it stands once it was waited for."""
        from vmwright.cli.progress import follow_all

        requests, controller = self._requests(arguments), self.session.controller
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
        add_request_options(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        from vmwright.cli.spec_file import written
        from vmwright.request import CreateRequest

        fields = _complete(fields_of_request(parsed_args))
        CreateRequest.parse(**fields)
        self.session.stdout.write(written(fields))


def _complete(fields: dict[str, Any]) -> dict[str, Any]:
    for needed, option in (("name", "NAME"), ("flavor", "--flavor")):
        if needed not in fields:
            raise InvalidRequest(f"the following arguments are required: {option}")
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
