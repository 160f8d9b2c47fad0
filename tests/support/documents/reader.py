"""Somebody who does what a page says, in a directory and a deployment of their own."""

import os
import re
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType

from tests.support.documents.alike import assert_alike
from tests.support.documents.terminal import Beside, Terminal

_PROMPT = "$ "
_GOES_ON = "> "


class Reader:
    """Types what a page shows, in its order, and compares what is said with what it shows."""

    def __init__(self, home: Path, needs: Mapping[str, Callable[["Reader"], None]]) -> None:
        self.home = home
        self._needs = needs
        self._remarks: dict[str, str] = {}
        self._beside: list[Beside] = []
        self._port = str(_free_port())
        self._replaced = {
            r"\b8765\b": self._port,
            r"/tmp/vmwright-tutorial|/var/lib/vmwright\b": str(home / "state"),
            r"qemu\+ssh://(\w+)/system": r"simulated:///\1",
        }
        """What a page says, and what stands for it here."""
        self._environment = {
            "HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "VMWRIGHT_CONFIG": str(home / "vmwright.conf"),
            "COLUMNS": "100",
            "NO_COLOR": "1",
        }
        self.configure()
        self._terminal = Terminal(home, self._environment)

    def __enter__(self) -> "Reader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for beside in self._beside:
            beside.end()
        self._terminal.end()

    def configure(self, *lines: str) -> None:
        """Write the configuration that a page does not show: simulated hosts, files in here."""
        first = ["[DEFAULT]", "backend = simulated", f"state_dir = {self.home / 'state'}"]
        self.write("vmwright.conf", "\n".join([*first, *lines]) + "\n")

    # What a page says of itself and its blocks.

    def need(self, name: str) -> None:
        assert name in self._needs, f"nobody can provide: {name}"
        self._needs[name](self)

    def remark(self, name: str, said: str) -> None:
        self._remarks[name] = said

    def take_remarks(self) -> Mapping[str, str]:
        """What was said of the next block."""
        said, self._remarks = self._remarks, {}
        return said

    # What a block has the reader do.

    def write(self, name: str, text: str) -> Path:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        here = self._here(text)
        if name == "vmwright.conf":
            here += f"[api]\nport = {self._port}\n"
        path.write_text(here)
        return path

    def run_session(self, text: str) -> None:
        """Type each command, and see that it says what is shown, if something is."""
        for command, shown in _commands(text):
            code, said = self._terminal.run(self._here(command))
            if "echo $?" not in command:
                assert code == 0, f"$ {command}\n{said}\nended with {code}"
            if shown:
                assert_alike(f"$ {command}", self._here(shown), said)

    def run_script(self, text: str) -> None:
        """Run it in a shell of its own, and see that it succeeds."""
        code, said = self._terminal.run(f"( set -e\n{self._here(text)}\n)")
        assert code == 0, f"{text}\n{said}\nended with {code}"

    def run_program(self, text: str) -> None:
        self.write("shown.py", text)
        self.run_script("python shown.py")

    def run_beside(self, text: str) -> None:
        """Type its only command in a terminal of its own, and wait until it says what is shown."""
        ((command, shown),) = _commands(text)
        beside = Beside(self._here(command), self.home, self._environment)
        self._beside.append(beside)
        beside.wait_for(self._here(shown))

    def kill(self, _: str) -> None:
        """What runs beside is killed as a power cut would."""
        while self._beside:
            self._beside.pop().kill()

    def _here(self, text: str) -> str:
        for shown, real in self._replaced.items():
            text = re.sub(shown, real, text)
        return text


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def _commands(text: str) -> Iterator[tuple[str, str]]:
    """Each command of a block with what is shown of its answer."""
    assert text.startswith(_PROMPT), f"a console begins with {_PROMPT!r}: {text}"
    for part in re.split(rf"^{re.escape(_PROMPT)}", text, flags=re.M)[1:]:
        lines = part.splitlines()
        typed = [lines.pop(0)]
        while lines and (typed[-1].endswith("\\") or lines[0].startswith(_GOES_ON)):
            typed.append(lines.pop(0).removeprefix(_GOES_ON))
        yield "\n".join(typed), "\n".join(lines).strip("\n")
