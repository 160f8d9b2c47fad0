"""The reference of every command, from the parsers that the program itself uses."""

import argparse
import io
from collections.abc import Iterator
from itertools import groupby

from vmwright.cli.commands import Commands
from vmwright.cli.shell import Shell

_INTRODUCTION = """\
# Every command

This page is made from the parsers of the program; `vmwright help COMMAND` shows the same of one.
What commands have in common, output and progress, is on [the page of the command line](cli.md), and
what they end with under [exit codes](exit-codes.md).

Every command also takes the options `--config-file FILE`, `-v`, `-q` and `--debug`. Those that show
data take `-f FORMAT` and `-c COLUMN`.
"""
_EVERYWHERE = {"global options", "output formatters", "json formatter", "shell formatter"}
_EVERYWHERE |= {"table formatter", "CSV Formatter", "value formatter"}


def command_page() -> str:
    """The whole page."""
    shell = Shell(io.StringIO(), io.StringIO())
    names = [name for name, _ in Commands() if name not in ("help", "complete")]
    lines = [_INTRODUCTION]
    for noun, commands in groupby(sorted(names, key=_place), _noun):
        lines += [f"## {noun.capitalize()}\n"]
        for name in commands:
            factory, _, _ = shell.command_manager.find_command(name.split())
            lines += _described(factory(shell, argparse.Namespace(), name).get_parser(name))
    return "\n".join(lines)


def _noun(name: str) -> str:
    return name.rpartition(" ")[0] or "instances and the whole store"


def _place(name: str) -> tuple[bool, str, str]:
    return " " in name, _noun(name), name


def _described(parser: argparse.ArgumentParser) -> Iterator[str]:
    actions = list(_actions(parser))
    yield f"### {parser.prog}\n"
    yield f"```text\nvmwright {parser.prog}{''.join(_usage(actions))}\n```\n"
    yield f"{_plain(parser.description or '')}\n"
    if actions:
        yield "| option | meaning |\n|---|---|"
        for action in actions:
            meaning = (action.help or "") % {**vars(action), "prog": "vmwright"}
            yield f"| `{_name(action)}` | {_plain(meaning)} |"
        yield ""


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Those of the command alone, as argparse knows them; its own list of them is not public."""
    for group in parser._action_groups:
        for action in group._group_actions if group.title not in _EVERYWHERE else ():
            if action.help is not argparse.SUPPRESS and not isinstance(
                action, argparse._HelpAction
            ):
                yield action


def _usage(actions: list[argparse.Action]) -> Iterator[str]:
    """What must be given, and whether there is more."""
    options = [action for action in actions if action.option_strings]
    for action in options:
        if action.required:
            yield f" {action.option_strings[-1]} {_value(action)}"
    if not all(action.required for action in options):
        yield " [options]"
    for action in actions:
        if not action.option_strings:
            several = "..." if action.nargs in ("*", "+") else ""
            name = f"{_value(action)}{several}"
            yield f" [{name}]" if action.nargs in ("*", "?") else f" {name}"


def _name(action: argparse.Action) -> str:
    if not action.option_strings:
        return _value(action)
    value = "" if action.nargs == 0 else f" {_value(action)}"
    return f"{', '.join(action.option_strings)}{value}".replace("|", "\\|")


def _value(action: argparse.Action) -> str:
    if action.choices and not action.metavar:
        return "|".join(map(str, action.choices))
    return str(action.metavar or action.dest.upper())


def _plain(text: str) -> str:
    """As it is, whatever Markdown would make of it."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
