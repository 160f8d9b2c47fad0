"""The command that shows what happens."""

import argparse
import threading
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from vmwright.cli.command import Command
from vmwright.errors import NotFound, StoreUnavailable, Unavailable

if TYPE_CHECKING:
    from vmwright.cli.overview import Overview
    from vmwright.persistence.records import Operation
    from vmwright.reader import Reader
    from vmwright.terminal.board import Row


class Watch(Command):
    """Show what runs, live: all operations, or some until they have ended. It changes nothing."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "subjects",
            nargs="*",
            metavar="OPERATION|INSTANCE",
            help="only these: an operation, or the latest one of an instance",
        )

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        from vmwright.cli.overview import Overview

        # Ctrl-C is how one leaves: there is nothing to be told of it.
        self.session.only_looks = True
        subjects = parsed_args.subjects
        if len(subjects) == 1:
            self._watch_one(subjects[0])
            return
        reader = self.session.reader
        named = [_found(reader, one).id for one in subjects] if subjects else None
        self._watch(Overview(reader, named))

    def _watch_one(self, subject: str) -> None:
        from vmwright.cli.progress import show

        controller = self.session.controller
        show(self.session, _found(controller, subject))

    def _watch(self, overview: "Overview") -> None:
        from vmwright.cli.display import can_draw, displayed
        from vmwright.cli.overview import Board, Lines

        looks = self._looks(overview)
        stream = self.session.stdout
        if not can_draw(stream):
            lines = Lines()
            for rows in looks:
                for line in lines.of(rows):
                    self.session.show(line)
            return
        latest: Sequence[Row] = ()

        def look(*, last: bool) -> "Sequence[Row]":
            del last
            return latest

        with displayed(self.session, Board(look), stream, alone=True):
            for latest in looks:  # noqa: B007 - the display looks at it
                pass

    def _looks(self, overview: "Overview") -> "Iterator[Sequence[Row]]":
        """Until what was named is over. A store that is away is asked again for a while."""
        from vmwright.cli.overview import pause_after

        patience = self.session.settings.operations.lease
        answered = time.monotonic()
        while not overview.is_over:
            begun = time.monotonic()
            try:
                rows = overview.look()
            except (StoreUnavailable, Unavailable):
                if begun - answered > patience:
                    raise
            else:
                answered = time.monotonic()
                yield rows
            if not overview.is_over:
                threading.Event().wait(pause_after(time.monotonic() - begun))


def _found(reader: "Reader", subject: str) -> "Operation":
    """The operation of this id, or the latest of the instance of this name or id."""
    try:
        return reader.operation(subject)
    except NotFound:
        pass
    try:
        known = reader.describe_instance(reader.instance(subject))
    except NotFound:
        raise NotFound(
            f"no operation and no instance {subject!r}",
            hint="see: vmwright operation list --all; vmwright list",
        ) from None
    return reader.operation(known["operation_id"])
