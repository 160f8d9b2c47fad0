"""Commands that say how to use the others."""

import argparse
import inspect
from collections.abc import Iterator
from typing import cast

from vmwright.cli.command import Command
from vmwright.cli.commands import Commands
from vmwright.cli.completion_scripts import SCRIPTS


class Help(Command):
    """Show the commands, or how to use one of them."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("words", nargs="*", metavar="COMMAND", help="the command to explain")

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        write = self.session.stdout.write
        known = cast(Commands, self.app.command_manager)
        if parsed_args.words:
            factory, name, _ = known.find_command(parsed_args.words)
            command = factory(self.app, None, name)
            write(command.get_parser(f"{self.app.NAME} {name}").format_help())
            return
        write(self.app.parser.format_help())
        write("\ncommands:\n")
        write("".join(_one_liners(known)))


class Complete(Command):
    """Print what has a shell complete commands, options, names and ids."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("shell", nargs="?", choices=tuple(SCRIPTS), default="bash")

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        self.session.stdout.write(SCRIPTS[parsed_args.shell])


def _one_liners(known: Commands) -> Iterator[str]:
    width = max(len(name) for name, _ in known)
    for name, place in known:
        doc = inspect.getdoc(place.load()) or ""
        yield f"  {name:<{width}}  {doc.splitlines()[0]}\n"
