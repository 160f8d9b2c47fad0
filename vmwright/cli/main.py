"""Where the command `vmwright` begins."""

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import NoReturn, TextIO

from vmwright.cli.shell import Shell

_INTERRUPTED = 130


def main() -> int:
    """Run the command of this process and return its exit code.

    SIGTERM is treated as Ctrl-C: what was begun is put down safely. A second one of either
    leaves at once; what is in the store then looks as after a power cut.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal cannot show must not end the command that lists it.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        return run(sys.argv[1:], sys.stdout, sys.stderr)
    except KeyboardInterrupt:
        _leave_at_once()
    finally:
        _let_go_of_broken_pipes()


def run(argv: Sequence[str], stdout: TextIO, stderr: TextIO) -> int:
    """Run one command with these streams; errors become one line and an exit code."""
    with redirect_stdout(stdout), redirect_stderr(stderr):
        return Shell(stdout, stderr).run(argv)


def _leave_at_once() -> NoReturn:
    sys.stderr.flush()
    os._exit(_INTERRUPTED)


def _let_go_of_broken_pipes() -> None:
    """Point streams that nobody reads at nothing, or the interpreter complains on its way out."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    sys.exit(main())
