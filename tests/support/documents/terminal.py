"""Shells that a reader types into."""

import os
import pty
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.support.documents.alike import holds

_END = "this-command-has-ended"


class Terminal:
    """One shell, whose variables and directory stay from command to command."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=home,
            env=environment,
        )

    def run(self, command: str) -> tuple[int, str]:
        """What a command ends with, and all that it says."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f"{{ {command}\n}} </dev/null\nprintf '\\n%s %s\\n' {_END} $?\n")
        self._shell.stdin.flush()
        said = []
        for line in self._shell.stdout:
            if line.startswith(_END):
                return int(line.split()[1]), "".join(said)
            said.append(line)
        raise AssertionError(f"the shell left: {''.join(said)}")

    def end(self) -> None:
        self._shell.communicate()


class Beside:
    """A command that runs in a terminal of its own until the page is over."""

    def __init__(self, command: str, home: Path, environment: Mapping[str, str]) -> None:
        self._screen, theirs = pty.openpty()
        self._process = subprocess.Popen(
            ["env", "--default-signal=INT", "bash", "-c", f"exec {command}"],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=home,
            env=environment,
        )
        os.close(theirs)

    def wait_for(self, shown: str) -> None:
        """Read what it says until each of these lines was said, in their order."""
        said = ""
        assert shown, "what is run beside must show how one sees that it is ready"
        while not holds(said[: said.rfind("\n") + 1], shown):
            said += self._read(said)

    def kill(self) -> None:
        self._process.kill()
        self.end()

    def end(self) -> None:
        """As with Ctrl-C."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        self._process.wait()
        os.close(self._screen)

    def _read(self, before: str) -> str:
        try:
            return os.read(self._screen, 65536).decode()
        except OSError as error:  # nobody has the other end any more
            raise AssertionError(f"{before}\nit left with {self._process.wait()}") from error
