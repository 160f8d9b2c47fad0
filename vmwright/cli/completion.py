"""What a word on the command line may become: asked by shells while it is typed."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from vmwright.cli.commands import Commands
from vmwright.cli.names import names_for
from vmwright.cli.shell import Shell
from vmwright.errors import VmwrightError

COMPLETE = "__complete"
"""The first word of a call that asks what its last word may become."""

FILES = ":files"
"""What is answered where the name of a file is wanted: shells know how."""


@dataclass(frozen=True)
class Candidate:
    """A whole word, and what it stands for, in a few words."""

    word: str
    about: str = ""


def main(arguments: Sequence[str]) -> int:
    """Print what the last of these words may become, each on a line, with a tabulator before what
    it stands for; `FILES` alone for a file."""
    *words, current = arguments or [""]
    shell = Shell(sys.stdout, sys.stderr)
    # A damaged configuration or a store that is away leaves nothing to say: it is told to who
    # runs a command, not to who types one.
    try:
        lines = [_line(one) for one in candidates(shell, words, current)]
    except VmwrightError:
        lines = []
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def _line(candidate: Candidate) -> str:
    text = candidate.word if not candidate.about else f"{candidate.word}\t{candidate.about}"
    return text if text.isprintable() else "".join(_calm(char) for char in text)


def _calm(char: str) -> str:
    return char if char.isprintable() or char == "\t" else "?"


def candidates(shell: Shell, words: Sequence[str], current: str) -> Iterator[Candidate]:
    """What `current` may become behind these words."""
    known = cast(Commands, shell.command_manager)
    taken = _Taken(shell.parser)
    rest = taken.leading(words)
    if taken.awaits is not None:
        yield from _values(taken.awaits, current, "", taken.said)
        return
    command, rest = _command_of(known, rest)
    if command and command != "help":
        yield from _arguments(shell, command, rest, current, taken.said)
        return
    yield from _next_words(known, rest, current)
    if current.startswith("-") and not rest:
        yield from _options(shell.parser, current, taken.used)


def _command_of(known: Commands, words: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The longest command that the words begin with, and the words that are left."""
    for length in range(len(words), 0, -1):
        name = " ".join(words[:length])
        longer = any(one.startswith(f"{name} ") for one in known.commands)
        if name in known.commands and not (longer and length == len(words)):
            return name, words[length:]
    return "", words


def _next_words(known: Commands, words: Sequence[str], current: str) -> Iterator[Candidate]:
    """The words that may come next in the name of a command."""
    place, found = len(words), dict[str, str]()
    for name in known.commands:
        parts = name.split()
        if parts[:place] == [*words] and len(parts) > place and parts[place].startswith(current):
            found.setdefault(parts[place], name if len(parts) == place + 1 else f"{name} ...")
    yield from (Candidate(word) for word in sorted(found))


def _arguments(
    shell: Shell, command: str, words: Sequence[str], current: str, said: dict[str, str]
) -> Iterator[Candidate]:
    factory = cast(Commands, shell.command_manager).commands[command].load()
    made = factory(shell, None, command)
    parser = made.get_parser(f"{shell.NAME} {command}")
    taken = _Taken(parser)
    taken.said.update(said)
    taken.all(words)
    if taken.awaits is not None and taken.awaits.dest == "columns":
        columns = getattr(made, "shown_columns", ())
        yield from (Candidate(one) for one in columns if one.startswith(current))
    elif taken.awaits is not None:
        yield from _values(taken.awaits, current, command, taken.said)
    elif current.startswith("--") and "=" in current:
        option, _, value = current.partition("=")
        action = parser._option_string_actions.get(option)
        if action is not None:
            for one in _values(action, value, command, taken.said):
                yield one if one.word == FILES else Candidate(f"{option}={one.word}", one.about)
    elif current.startswith("-") and not taken.only_positionals:
        yield from _options(parser, current, taken.used)
    elif taken.next_positional is not None:
        yield from _values(taken.next_positional, current, command, taken.said)


def _options(
    parser: argparse.ArgumentParser, current: str, used: Iterable[argparse.Action]
) -> Iterator[Candidate]:
    spent = [action for action in used if not _may_be_repeated(action)]
    for action in parser._actions:
        if action.help == argparse.SUPPRESS or action in spent:
            continue
        about = " ".join((action.help or "").split()) % {**vars(action), "prog": parser.prog}
        for option in action.option_strings:
            if option.startswith(current) and option.startswith("--"):
                yield Candidate(option, about)


def _may_be_repeated(action: argparse.Action) -> bool:
    return type(action).__name__ in {"_AppendAction", "_CountAction", "_ExtendAction"}


def _values(
    action: argparse.Action, current: str, command: str, said: dict[str, str]
) -> Iterator[Candidate]:
    """What an option or a positional argument takes."""
    if action.choices is not None:
        yield from (Candidate(str(one)) for one in action.choices if str(one).startswith(current))
    elif action.dest == "formatter" or "FILE" in str(action.metavar):
        yield Candidate(FILES)
    else:
        yield from (
            Candidate(word, about) for word, about in names_for(command, action, current, said)
        )


class _Taken:
    """What words have used up of a parser's options and arguments."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._parser = parser
        self._positionals = [one for one in parser._actions if not one.option_strings]
        self.used: list[argparse.Action] = []
        self.awaits: argparse.Action | None = None
        """The option whose value comes next."""
        self.said: dict[str, str] = {}
        """The values of options, by their destination."""
        self.only_positionals = False

    def leading(self, words: Sequence[str]) -> Sequence[str]:
        """Take options up to the first word that is none, and return the others."""
        count = 0
        for count, word in enumerate(words, 1):
            if self.awaits is None and not word.startswith("-"):
                return words[count - 1 :]
            self._take(word)
        return words[count:]

    def all(self, words: Sequence[str]) -> None:
        """Take them all."""
        for word in words:
            self._take(word)

    @property
    def next_positional(self) -> argparse.Action | None:
        """The argument that a word without a hyphen is for."""
        return next(iter(self._positionals), None)

    def _take(self, word: str) -> None:
        if self.awaits is not None:
            self.said[self.awaits.dest] = word
            self.awaits = None
        elif self.only_positionals or not word.startswith("-") or word == "-":
            self._take_positional()
        elif word == "--":
            self.only_positionals = True
        else:
            self._take_option(*word.partition("=")[::2], has_value="=" in word)

    def _take_option(self, option: str, value: str, *, has_value: bool) -> None:
        action = self._parser._option_string_actions.get(option)
        if action is None:
            return
        self.used.append(action)
        if has_value:
            self.said[action.dest] = value
        elif action.nargs != 0:
            self.awaits = action

    def _take_positional(self) -> None:
        if self._positionals and self._positionals[0].nargs not in ("+", "*"):
            self._positionals.pop(0)
