"""From an argument list to an exit code: finds the command, runs it, and words its errors."""

import argparse
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, TextIO

from cliff.app import App
from cliff.command import Command as CliffCommand

from vmwright.cli.commands import Commands
from vmwright.cli.parsing import Parser, add_global_options
from vmwright.cli.session import Session
from vmwright.errors import InvalidRequest, PackageMissing, Unavailable, VmwrightError

_DESCRIPTION = "Builds virtual machines on libvirt hosts, and takes back what cannot be finished."


class Shell(App):
    """One call of the command."""

    NAME = "vmwright"

    def __init__(self, stdout: TextIO, stderr: TextIO) -> None:
        known = Commands()
        super().__init__(_DESCRIPTION, version("vmwright"), known, stdout=stdout, stderr=stderr)
        known.restore()  # cliff has put its own help and complete in the place of ours
        self.session = Session(argparse.Namespace(), stdout, stderr)
        self._command: CliffCommand | None = None

    def build_option_parser(
        self,
        description: str | None,
        version: str | None,
        argparse_kwargs: dict[str, Any] | None = None,
    ) -> argparse.ArgumentParser:
        parser = Parser(
            prog=self.NAME,
            description=description,
            usage=f"{self.NAME} [options] COMMAND ...",
            add_help=False,
            allow_abbrev=False,
            **(argparse_kwargs or {}),
        )
        group = add_global_options(parser)
        group.add_argument("--version", action="version", version=f"{self.NAME} {version}")
        group.add_argument("-h", "--help", action="store_true", help="show this and leave")
        parser.add_argument("words", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
        return parser

    def run(self, argv: Sequence[str]) -> int:
        """Run one command to its end and return its exit code. Errors become one line."""
        try:
            return self._run_closing(list(argv))
        except VmwrightError as error:
            return self._failed(error)
        except ImportError as error:
            return self._failed(_caused(_missing(error), error))
        except BrokenPipeError:
            # Nobody reads the data any more; what was asked for has been done all the same.
            return getattr(self._command, "exit_code", 0)
        except OSError as error:
            return self._failed(_caused(Unavailable(f"the system refuses: {error}"), error))

    def _run_closing(self, argv: list[str]) -> int:
        try:
            code = self._run_words(argv)
            self.stdout.flush()
            return code
        except SystemExit as leave:
            # argparse leaves so after --help and --version; its errors do not come this way.
            return int(leave.code or 0)
        finally:
            self.session.close()

    def _run_words(self, argv: list[str]) -> int:
        options = self.parser.parse_args(argv)
        words = ["help"] if options.help else options.words
        if not words:
            raise InvalidRequest("no command is given", hint="see: vmwright --help")
        factory, name, rest = self.command_manager.find_command(words)
        self._command = factory(self, options, name)
        arguments = self._command.get_parser(f"{self.NAME} {name}").parse_args(rest)
        both = argparse.Namespace(**{**vars(options), **vars(arguments)})
        self.session = Session(both, self.stdout, self.stderr)
        if self.session.remote is not None and getattr(factory, "needs_store", False):
            raise InvalidRequest(
                f"{self.NAME} {name} is about the store itself: no service does that",
                hint="call it where the store is, without --endpoint and VMWRIGHT_ENDPOINT",
            )
        return self._command.run(arguments)

    def _failed(self, error: VmwrightError) -> int:
        self.session.complain(error)
        return error.exit_code

    def stop(self) -> float | None:
        """Have a service end by itself, within so many seconds; None if `run` is no service."""
        return self.session.stop()

    def interrupt(self) -> None:
        """Put down what `run` does in another thread, and tell how to go on with it."""
        self.session.interrupt()


def _missing(error: ImportError) -> PackageMissing:
    return PackageMissing(
        f"the Python package {error.name!r} is missing or broken: {error}",
        hint="install it beside vmwright, or configure what does not need it",
    )


def _caused(error: VmwrightError, cause: Exception) -> VmwrightError:
    error.__cause__ = cause
    return error
