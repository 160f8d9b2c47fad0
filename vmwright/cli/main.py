"""Where the command `vmwright` begins."""

import gc
import os
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, NoReturn, TextIO

if TYPE_CHECKING:
    from vmwright.cli.shell import Shell

_INTERRUPTED = 130
_TOO_LATE = 6


def main() -> int:
    """Run the command of this process and return its exit code.

    SIGTERM is treated as Ctrl-C: what was begun is put down safely. A second one of either
    leaves at once; what is in the store then looks as after a power cut.
    """
    if sys.argv[1:2] == ["__complete"]:
        from vmwright.cli.completion import main as complete

        return complete(sys.argv[2:])
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # What is loaded stays: to look for garbage in it takes a tenth of a start. The session
    # enables it again.
    gc.disable()
    _prepare_streams()
    try:
        return _run_interruptibly()
    except KeyboardInterrupt:
        _leave_at_once()
    finally:
        _let_go_of_broken_pipes()


def run(argv: Sequence[str], stdout: TextIO, stderr: TextIO) -> int:
    """Run one command with these streams; errors become one line and an exit code."""
    from vmwright.cli.shell import Shell

    with redirect_stdout(stdout), redirect_stderr(stderr):
        return Shell(stdout, stderr).run(argv)


def _run_interruptibly() -> int:
    """Run the command in a thread of its own, and only wait for it in this one.

    Signals reach the main thread between any two instructions. An exception raised there would
    strike in the middle of a library, and leave locks held and connections half used.
    """
    from vmwright.cli.shell import Shell

    shell = Shell(sys.stdout, sys.stderr)
    code = ThreadPoolExecutor(1, "vmwright-command").submit(shell.run, sys.argv[1:])
    try:
        return code.result()
    except KeyboardInterrupt:
        patience = shell.stop()
        if patience is not None:
            return _stopped(shell, code, patience)
        shell.interrupt()
        _leave_at_once()


def _stopped(shell: "Shell", code: Future[int], patience: float) -> int:
    """The exit code of a service that was told to stop, once it has."""
    try:
        return code.result(timeout=patience)
    except KeyboardInterrupt:
        shell.session.cut_off()
        raise
    except TimeoutError:
        shell.session.cut_off()
        shell.session.tell(
            f"vmwright: not stopped within {patience:g} seconds: what still runs is cut off "
            "(whoever serves or resumes this store goes on with it)"
        )
        _leave_at_once(_TOO_LATE)


def _prepare_streams() -> None:
    """Have streams that take whatever is written: it must not end the command that writes."""
    # Where the caller closed them, Python has none, and the next file opened, such as the
    # database, would get their descriptors.
    sys.stdout = sys.stdout or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    sys.stderr = sys.stderr or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _leave_at_once(code: int = _INTERRUPTED) -> NoReturn:
    """End without waiting for threads: what they still do is safe to cut off."""
    _let_go_of_broken_pipes()
    os._exit(code)


def _let_go_of_broken_pipes() -> None:
    """Point streams that nobody reads at nothing, or the interpreter complains on its way out."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    sys.exit(main())
