"""Commands on operations: what was begun, and what is to become of it."""

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

from vmwright.cli import parsing
from vmwright.cli.command import Lister, ShowOne
from vmwright.cli.outcomes import OWING, exit_code_of, exit_code_of_undo, sentences
from vmwright.errors import Conflict
from vmwright.states import ENDED, OperationState

COLUMNS = (
    "id",
    "kind",
    "state",
    "instance_id",
    "instance_name",
    "attempt",
    "attempts",
    "error",
    "held",
    "owes",
    "under_way",
    "undo_tries",
    "not_before",
    "cancel_reason",
    "created_at",
    "started_at",
    "finished_at",
)
SHORT_COLUMNS = ("id", "kind", "state", "instance_id", "attempt", "held", "owes")


class List(Lister):
    """List the operations that have not ended, oldest first."""

    shown_columns = COLUMNS
    short_columns = SHORT_COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--all", action="store_true", help="also those that have ended")
        parser.add_argument(
            "--limit",
            type=parsing.count,
            default=1000,
            metavar="N",
            help="the newest of them (default: 1000)",
        )
        parser.add_argument("--before", metavar="ID", help="only those submitted before this one")

    def describe(self, arguments: argparse.Namespace) -> Iterable[Mapping[str, Any]]:
        reader = self.session.reader
        states = [state for state in OperationState if arguments.all or state not in ENDED]
        found = reader.operations(states, before=arguments.before, limit=arguments.limit)
        return reader.describe_operations(found)


class Show(ShowOne):
    """Show an operation."""

    shown_columns = COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("operation", metavar="ID")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        reader = self.session.reader
        return reader.describe_operation(reader.operation(arguments.operation))


class Await(ShowOne):
    """Wait for the end of an operation that some process runs."""

    shown_columns = COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        _add_operation(parser)

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        from vmwright.cli.progress import follow

        operation = self.session.controller.operation(arguments.operation)
        ended = follow(self.session, operation, arguments.timeout)
        self.exit_code = exit_code_of(ended)
        return ended


class ResumeOne(ShowOne):
    """Go on with an operation whose process is gone, in the direction that it had."""

    shown_columns = COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        _add_operation(parser)

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        from vmwright.cli.progress import follow

        (operation,) = self.session.controller.resume(arguments.operation)
        ended = follow(self.session, operation, arguments.timeout)
        self.exit_code = exit_code_of(ended)
        return ended


class Cancel(ShowOne):
    """Take a build back: whatever was made for it so far is removed."""

    shown_columns = COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        _add_operation(parser)
        parser.add_argument("--reason", default="asked by the user", help="kept with the fault")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        from vmwright.cli.progress import follow

        operation = self.session.controller.cancel(arguments.operation, arguments.reason)
        ended = follow(self.session, operation, arguments.timeout)
        if ended["state"] == OperationState.DONE:
            raise Conflict(
                f"operation {operation.id} was done before it could be cancelled",
                hint=f"delete the instance: vmwright delete {operation.instance_id}",
            )
        self.exit_code = exit_code_of_undo(ended)
        return ended


class Retry(ShowOne):
    """Try the undo that an operation is stuck in once more."""

    shown_columns = COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        _add_operation(parser)

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        from vmwright.cli.progress import follow

        operation = self.session.controller.retry(arguments.operation)
        ended = follow(self.session, operation, arguments.timeout)
        self.exit_code = exit_code_of_undo(ended)
        return ended


class Skip(ShowOne):
    """Give up the undo of the task that an operation is stuck in: what it should have removed is
    owed, and the operation goes on."""

    shown_columns = COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        _add_operation(parser)
        parser.add_argument("task", metavar="TASK", help="as operation show names it")
        parser.add_argument("--why", required=True, metavar="TEXT", help="kept with its events")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        from vmwright.cli.progress import follow

        controller = self.session.controller
        operation = controller.skip(arguments.operation, arguments.task, arguments.why)
        ended = follow(self.session, operation, arguments.timeout)
        self.exit_code = exit_code_of_undo(ended)
        return ended


class Abandon(ShowOne):
    """End an operation that is stuck or parked: whatever it leaves is owed, and its instance is
    in error. Ends with 3 if anything is."""

    shown_columns = COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("operation", metavar="ID")
        parser.add_argument("--why", required=True, metavar="TEXT", help="kept with the fault")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        controller = self.session.controller
        ended = controller.abandon(arguments.operation, arguments.why)
        description = controller.describe_operation(ended)
        instance = controller.instance_of(ended)
        for line in sentences(description, instance.name, instance.fault):
            self.session.tell(line)
        self.exit_code = exit_code_of_undo(description)
        return description


class Resume(Lister):
    """Go on with all interrupted work of this store, wait for it, and pay debts that are due."""

    shown_columns = COLUMNS
    short_columns = SHORT_COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--timeout", type=parsing.seconds, metavar="SECONDS")

    def describe(self, arguments: argparse.Namespace) -> Iterable[Mapping[str, Any]]:
        from vmwright.cli.progress import follow_all

        controller = self.session.controller
        operations = controller.resume()
        _, self.exit_code = follow_all(self.session, operations, arguments.timeout)
        self._tell_what_remains(
            self.session.pay_debts(),
            len(controller.operations([OperationState.STUCK, OperationState.PARKED])),
        )
        known = [controller.operation(operation.id) for operation in operations]
        return controller.describe_operations(known)

    def _tell_what_remains(self, debts: int, halted: int) -> None:
        tell = self.session.tell
        if debts:
            tell(f"debts that remain: {debts}; their hosts are away, or they are not due yet")
        if halted:
            tell(f"operations that are stuck or parked: {halted}; see: vmwright operation list")
        if debts or halted:
            self.exit_code = max(self.exit_code, OWING)


def _add_operation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("operation", metavar="ID")
    parser.add_argument(
        "--timeout", type=parsing.seconds, metavar="SECONDS", help="wait no longer than this"
    )
