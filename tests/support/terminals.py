"""A program at a terminal: what it shows, and keys that are pressed."""

import os
import pty
import re
import signal
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fcntl import ioctl
from termios import TIOCSWINSZ

_CONTROL = re.compile(
    r"\x1b(?:\[[0-9;?<=>]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()].|[@-_=>])"
)


@dataclass
class Terminal:
    """The other end of it."""

    process: int
    descriptor: int
    has_ended: bool = False
    seen: str = field(default="")

    def press(self, keys: str) -> None:
        os.write(self.descriptor, keys.encode())

    def wait_for(self, pattern: str) -> str:
        """Read until what was shown since the last match has this; fails at the program's end."""
        while not (match := re.search(pattern, self.text)):
            try:
                read = os.read(self.descriptor, 65536)
            except OSError:
                read = b""
            assert read, f"{pattern!r} never came; shown was: {self.text[-2000:]!r}"
            self.seen += read.decode(errors="replace")
        text, self.seen = self.text, ""
        return text[: match.end()]

    @property
    def text(self) -> str:
        """What was shown, without what steers the terminal."""
        return _CONTROL.sub("", self.seen).replace("\a", "")

    def ends(self) -> int:
        """Read until the program has ended; returns its exit code."""
        with suppress(OSError):
            while read := os.read(self.descriptor, 65536):
                self.seen += read.decode(errors="replace")
        _, status = os.waitpid(self.process, 0)
        self.has_ended = True
        return os.waitstatus_to_exitcode(status)

    def resize(self, columns: int, lines: int) -> None:
        ioctl(self.descriptor, TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


@contextmanager
def at_terminal(
    command: Sequence[str], env: Mapping[str, str], *, columns: int = 100, lines: int = 30
) -> Iterator[Terminal]:
    """Run a command there; it is killed at the end."""
    process, descriptor = pty.fork()
    if process == 0:
        os.execvpe(command[0], [*command], {**os.environ, "TERM": "xterm", **env})
    terminal = Terminal(process, descriptor)
    terminal.resize(columns, lines)
    try:
        yield terminal
    finally:
        if not terminal.has_ended:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
        os.close(descriptor)
