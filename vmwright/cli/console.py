"""The command that reads a guest's console."""

import argparse
import codecs
import re
from collections.abc import Iterable, Iterator

from vmwright.cli import parsing
from vmwright.cli.command import Command
from vmwright.cli.values import safe
from vmwright.errors import Conflict, DeadlinePassed, Refused, Unavailable
from vmwright.waiting import Wait

_A_DAY = 86400.0
_LONGEST_LINE = 65536
_STEERING = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
"""What moves a terminal's cursor or changes its colours."""


class Console(Command):
    """Show what the guest writes to its serial console from now on, line by line."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="name or id")
        parser.add_argument("--until", metavar="TEXT", help="end once a line holds this")
        parser.add_argument(
            "--timeout",
            type=parsing.seconds,
            metavar="SECONDS",
            help="end then; with --until, exit code 6 says that the text was not seen",
        )

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        name, until = parsed_args.name, parsed_args.until
        controller = self.session.controller
        patience = Wait(_A_DAY if parsed_args.timeout is None else parsed_args.timeout)
        try:
            for line in lines_of(controller.console(name, patience), until):
                self.session.stdout.write(f"{line}\n")
                self.session.stdout.flush()
                if until is not None and until in line:
                    return
        except Refused as error:
            raise Conflict(error.message, hint=error.hint) from error
        except Unavailable:
            # A wait that ends while the console is still being opened is no fault of the host.
            if patience.remaining():
                raise
        if until is not None:
            raise DeadlinePassed(f"the console of {name!r} came to its end without {until!r}")


def lines_of(chunks: Iterable[bytes], until: str | None = None) -> Iterator[str]:
    """What the guest wrote, as lines that cannot steer a terminal.

    A line that is not finished is given out only at the end, or if it holds `until`: a prompt
    never ends.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    unfinished = ""
    for chunk in chunks:
        *lines, unfinished = (unfinished + decoder.decode(chunk)).split("\n")
        yield from map(_clean, lines)
        if len(unfinished) > _LONGEST_LINE or (until is not None and until in _clean(unfinished)):
            yield _clean(unfinished)
            unfinished = ""
    if unfinished:
        yield _clean(unfinished)


def _clean(line: str) -> str:
    return safe(_STEERING.sub("", line.replace("\r", "")))
