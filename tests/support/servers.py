"""Database servers of our own: private directory, free port, gone with the process that made them.

They are fast because they never wait for the disk; what they have committed survives a kill of
their process, and only a power failure of the machine would take it.
"""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeVar

from vmwright.persistence import schema_version
from vmwright.persistence.database import Database
from vmwright.settings import DatabaseSettings

READY_DATABASE = "ready"
_TRIES = 5


class Server(ABC):
    """What tests ask of a database server, whatever it is called."""

    name: str
    """As the test parameter and the marker call it."""
    answers: str
    """What it says once it takes connections."""
    accounts: Sequence[str]
    """Whom it runs as, the first that the machine knows, where we are root."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.password = secrets.token_hex(16)
        self.port = 0
        self._process: subprocess.Popen[str] | None = None
        self._drain = threading.Thread()
        self._made = 0
        self._ready = False

    # What each of them does in its own way.

    @abstractmethod
    def _make(self) -> None:
        """The files of a server without databases of ours."""

    @abstractmethod
    def _serving(self) -> list[str]:
        """The command that serves `self.port`."""

    @abstractmethod
    def _create(self, name: str) -> str:
        """A new, empty database; returns its name."""

    @abstractmethod
    def _empty(self, name: str) -> None:
        """Remove every row, and shut out whoever is connected."""

    @abstractmethod
    def url(self, name: str, port: int | None = None) -> str:
        """Where a database is: here, or behind something that listens on another port."""

    # What all do.

    def start(self) -> None:
        """Make it and return once it answers."""
        self._make()
        for _ in range(_TRIES):
            self.port = free_port()
            if self._serve():
                return
        raise RuntimeError(f"{self.name} did not start")

    def stop(self) -> None:
        """End it by its pid; nobody needs what it holds any more."""
        self.kill()

    def kill(self) -> None:
        """As a machine's out-of-memory killer does: it has no time to say goodbye."""
        if self._process:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
            self._drain.join()

    def start_again(self) -> None:
        """On the same port, with what was committed before."""
        if not self._serve():
            raise RuntimeError(f"{self.name} did not come back on port {self.port}")

    def fresh(self) -> DatabaseSettings:
        """The settings of a new, empty database."""
        self._made += 1
        return DatabaseSettings(connection=self.url(self._create(f"test{self._made}")))

    def ready(self) -> DatabaseSettings:
        """The settings of a database with the newest schema and not a row.

        It is the same one each time: whoever had it before is shut out of it.
        """
        settings = DatabaseSettings(connection=self.url(READY_DATABASE))
        if self._ready:
            self._empty(READY_DATABASE)
        else:
            self._create(READY_DATABASE)
            database = Database.open(settings)
            schema_version.upgrade(database)
            database.close()
            self._ready = True
        return settings

    def _serve(self) -> bool:
        """Whether it serves the port now: somebody may have been faster to take it."""
        self._process = subprocess.Popen(
            self.as_its_user(*self._serving()), stderr=subprocess.PIPE, text=True, cwd="/"
        )
        assert self._process.stderr
        for line in self._process.stderr:
            if self.answers in line:
                self._drain = threading.Thread(target=_discard, args=[self._process.stderr])
                self._drain.start()
                return True
        self._process.stderr.close()
        self._process.wait()
        self._process = None
        return False

    def run(self, *words: str) -> None:
        done = subprocess.run(
            self.as_its_user(*words), check=False, capture_output=True, text=True, cwd="/"
        )
        if done.returncode:
            raise RuntimeError(f"{words[0]}: {done.stdout.strip()} {done.stderr.strip()}")

    def as_its_user(self, *command: str) -> list[str]:
        """A server refuses root, and must end when we are killed."""
        identity: list[str] = []
        if os.geteuid() == 0:
            user = self._account()
            identity = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        return ["setpriv", *identity, "--pdeathsig=QUIT", *command]

    def give_away(self) -> None:
        """Let the server's user have the directory and what is in it."""
        if os.geteuid() == 0:
            user = self._account()
            for path in (self.directory, *self.directory.iterdir()):
                os.chown(path, user.pw_uid, user.pw_gid)

    def _account(self) -> pwd.struct_passwd:
        known = {entry.pw_name: entry for entry in pwd.getpwall()}
        return next(known[name] for name in (*self.accounts, "nobody") if name in known)


Kind = TypeVar("Kind", bound=Server)


@contextmanager
def running(kind: type[Kind]) -> Iterator[Kind]:
    """A server in a directory that an unprivileged user can reach."""
    directory = Path(tempfile.mkdtemp(prefix=f"vmwright-{kind.name}-", dir="/tmp"))
    server = kind(directory)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _discard(stream: IO[str]) -> None:
    with stream:
        for _ in stream:
            pass
