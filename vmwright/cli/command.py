"""What all commands share: their parser, their exit code, and how their data is shown."""

import argparse
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from cliff import command, lister, show

from vmwright.cli.outcomes import OWING
from vmwright.cli.parsing import Parser, add_global_options
from vmwright.cli.values import DATA_FORMATS, shown
from vmwright.errors import InvalidRequest

if TYPE_CHECKING:
    from vmwright.cli.session import Session
    from vmwright.cli.shell import Shell

Columns = tuple[str, ...]


class Command(command.Command):
    """A command of vmwright. `take_action` may raise any `VmwrightError`."""

    exit_code = 0
    """What the command ends with; `take_action` changes it."""
    needs_store: ClassVar[bool] = False
    """Whether it is about the store itself, and nothing that a service does for others."""

    @property
    def session(self) -> "Session":
        """The controller, settings and streams of this call."""
        return cast("Shell", self.app).session

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = Parser(prog=prog_name, description=self.get_description(), allow_abbrev=False)
        self.add_arguments(parser)
        add_global_options(parser)
        return parser

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """What the command takes; nothing, unless it says so."""

    def run(self, parsed_args: argparse.Namespace) -> int:
        super().run(parsed_args)
        return self.exit_code


class ShowOne(show.ShowOne, Command):
    """A command that shows one thing."""

    shown_columns: ClassVar[Columns]

    @abstractmethod
    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        """Do what the command does, and return at least the shown columns."""

    def run(self, parsed_args: argparse.Namespace) -> int:
        check_columns(parsed_args.columns, self.shown_columns)
        super().run(parsed_args)
        return self.exit_code

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Columns, Sequence[Any]]:
        chosen = self.shown_columns
        return chosen, row_of(self.describe(parsed_args), chosen, parsed_args.formatter)


class Lister(lister.Lister, Command):
    """A command that shows several things of one kind."""

    shown_columns: ClassVar[Columns]
    short_columns: ClassVar[Columns]
    """What fits a terminal: people get only these unless they ask for all; programs get all."""

    @abstractmethod
    def describe(self, arguments: argparse.Namespace) -> Iterable[Mapping[str, Any]]:
        """Do what the command does, and return things with at least the chosen columns."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("--long", action="store_true", help="show every column")
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        check_columns(parsed_args.columns, self.shown_columns)
        super().run(parsed_args)
        return self.exit_code

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Columns, list[Sequence[Any]]]:
        chosen = self._chosen(parsed_args)
        things = self.describe(parsed_args)
        return chosen, [row_of(thing, chosen, parsed_args.formatter) for thing in things]

    def _chosen(self, arguments: argparse.Namespace) -> Columns:
        everything = arguments.long or arguments.columns or arguments.formatter in DATA_FORMATS
        return self.shown_columns if everything else self.short_columns


class ForgetEach(Command):
    """A command that deletes named things, and none of them if one does not exist."""

    @abstractmethod
    def find(self, name: str) -> object:
        """Raise `NotFound` unless there is such a thing."""

    @abstractmethod
    def delete(self, name: str) -> object:
        """Delete one."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("names", nargs="+", metavar="NAME", help="name or id")

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        for name in parsed_args.names:
            self.find(name)
        for name in dict.fromkeys(parsed_args.names):
            self.delete(name)


class DeleteEach(ForgetEach):
    """The same for things that may lie on hosts."""

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        super().take_action(parsed_args)
        # What lies on hosts is owed first and paid now: a host that is away gets it later.
        remain = self.session.pay_debts()
        if remain:
            self.session.tell(f"debts that remain: {remain}; see: vmwright audit")
            self.exit_code = OWING


def row_of(thing: Mapping[str, Any], columns: Columns, formatter: str) -> Sequence[Any]:
    """The values of these columns, as the output format takes them."""
    return tuple(shown(column, thing[column], formatter) for column in columns)


def check_columns(wanted: Iterable[str], known: Columns) -> None:
    """Refuse a column that does not exist before anything is done, not after."""
    for column in wanted:
        if column.strip().lower().replace(" ", "_") not in known:
            raise InvalidRequest(
                f"there is no column {column!r}", hint=f"one of {', '.join(known)}"
            )
