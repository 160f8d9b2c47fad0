"""The command, called as users call it, on a store and a simulated world of its own."""

import io
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from vmwright.cli.main import run


@dataclass(frozen=True)
class Called:
    """What a call left: its exit code, its data and its messages."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class CommandLine:
    """Calls of the command with one configuration file."""

    directory: Path
    left_as: ClassVar[str] = "interrupted"
    """The state of what a call that is interrupted was about."""

    @property
    def command(self) -> str:
        """How messages call it."""
        return "vmwright"

    @property
    def what_is_left(self) -> str:
        """What becomes of it, in the words of that call."""
        return "stays unfinished"

    def way_on(self, operation: str) -> str:
        """What there is to do for it."""
        del operation
        return f"go on: {self.command} resume"

    @property
    def file(self) -> Path:
        return self.directory / "vmwright.conf"

    def configure(self, text: str = "", **simulated: str) -> None:
        """Write the configuration: `text` at its end, and options of the simulated backend."""
        lines = [
            "[DEFAULT]",
            "backend = simulated",
            f"state_dir = {self.directory / 'state'}",
            "[operations]",
            "undo_backoff = 0",
            "undo_tries = 2",
            "[simulated]",
            *(f"{name} = {value}" for name, value in simulated.items()),
            text,
        ]
        self.file.write_text("\n".join(lines))

    def __call__(self, *words: str) -> Called:
        """Call the command in this process."""
        out, err = io.StringIO(), io.StringIO()
        code = run(["--config-file", str(self.file), *words], out, err)
        return Called(code, out.getvalue(), err.getvalue())

    def here(self, *words: str) -> Called:
        """The same call where the store is."""
        return self(*words)

    def start(self, *words: str, **streams: Any) -> "subprocess.Popen[str]":
        """Start the command as a process that can be interrupted."""
        # Whoever runs the tests in the background has Ctrl-C ignored, and a child inherits that.
        program = (
            "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
            "from vmwright.cli.main import main; sys.exit(main())"
        )
        environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return subprocess.Popen(
            [sys.executable, "-c", program, "--config-file", self.file, *words],
            text=True,
            env={**environment, **streams.pop("env", {})},
            **streams,
        )

    def bring_host_back(self) -> None:
        (self.directory / "state" / "world" / "hosts" / "host1" / "down").unlink()

    def execute(self, *statements: str) -> None:
        """Change the store behind everybody's back."""
        with closing(sqlite3.connect(self._database)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    def forget(self, instance: str) -> None:
        """Have the store know nothing of an instance, as one that was restored from a backup."""
        tables = ("claims", "attachments", "ports", "secrets", "events", "operations")
        of_it = [
            f"DELETE FROM vmwright_{table} WHERE instance_id = '{instance}'" for table in tables
        ]
        attempts = "DELETE FROM vmwright_attempts"
        itself = f"DELETE FROM vmwright_instances WHERE id = '{instance}'"
        self.execute(attempts, *of_it, itself)
        for seen in (self.directory / "state" / "history").glob("*"):
            seen.unlink()

    def world(self, kind: str) -> list[str]:
        """The files of this kind of thing on the host."""
        found = (self.directory / "state" / "world" / "hosts" / "host1" / kind).glob("*.json")
        return sorted(path.stem for path in found)

    @property
    def _database(self) -> Path:
        return self.directory / "state" / "vmwright.db"

    def stored(self) -> Mapping[str, list[tuple[Any, ...]]]:
        """Every row but those of living processes, which they write anew all the time."""
        return {table: rows for table, rows in self.rows().items() if table != "vmwright_owners"}

    def rows(self) -> Mapping[str, list[tuple[Any, ...]]]:
        """Every row of every table."""
        connection = sqlite3.connect(self._database)
        try:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            tables = sorted(name for (name,) in names)
            return {
                table: sorted(connection.execute(f'SELECT * FROM "{table}"'), key=repr)
                for table in tables
            }
        finally:
            connection.close()


IMPATIENT = "[operations]\npatience = 0.3\nundo_deadline = 0.3"
"""For tests of silent hosts: they are given up soon."""

BUILD = ("--image", "disk", "--flavor", "small", "--network", "lan")
"""What a build is made of in a store that is `stocked`."""


def stocked(directory: Path) -> CommandLine:
    """A store with an image, a flavor, a network and a host."""
    command = CommandLine(directory)
    command.configure()
    image = directory / "disk.raw"
    image.write_bytes(bytes(1 << 20))
    for words in (
        ("image", "create", "disk", "--file", str(image), "--disk-format", "raw"),
        ("flavor", "create", "small", "--vcpus", "1", "--ram", "64", "--disk", "1"),
        ("network", "create", "lan", "--subnet-range", "10.9.0.0/24"),
        ("host", "create", "host1", "--uri", "simulated:///host1"),
    ):
        assert command(*words).code == 0
    return command
