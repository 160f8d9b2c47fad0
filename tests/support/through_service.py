"""The command as users call it who work through a service: the same calls, with an endpoint."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.support.command_line import Called, CommandLine, stocked
from vmwright.admission import Caller
from vmwright.api.application import make_application
from vmwright.api.own_token import own_token
from vmwright.api.server import Server
from vmwright.controller import Controller
from vmwright.inventory.tokens import digest
from vmwright.settings import Settings

EMBEDDED, ENDPOINT = "embedded", "endpoint"

WAYS = [EMBEDDED, pytest.param(ENDPOINT, marks=pytest.mark.slow)]
"""For what `make test` calls where the store is, and `make test-all` through a service, too."""

in_both_ways = pytest.mark.parametrize("vmwright", [EMBEDDED, ENDPOINT], indirect=True)
"""Decorates what `make test` calls in both ways."""


@dataclass
class _Running:
    url: str
    opened: ExitStack


@dataclass(frozen=True)
class ThroughService(CommandLine):
    """Calls that are answered by a service on the same store and world. It runs what it is asked
    to, and takes nothing up by itself: calls find the store as the one before left it."""

    _running: list[_Running] = field(default_factory=list, repr=False)
    left_as: ClassVar[str] = "running"

    @property
    def command(self) -> str:
        return f"vmwright --endpoint {self.url}"

    @property
    def what_is_left(self) -> str:
        return f"goes on at {self.url}"

    def way_on(self, operation: str) -> str:
        return f"wait on: {self.command} operation wait {operation}"

    def configure(self, text: str = "", **simulated: str) -> None:
        """For the service as for whoever calls: it begins anew with what is different."""
        before = self.file.read_text()
        super().configure(text, **simulated)
        if self.file.read_text() != before:
            self.stop()

    def __call__(self, *words: str) -> Called:
        return super().__call__("--endpoint", self.url, *words)

    def here(self, *words: str) -> Called:
        return super().__call__(*words)

    def start(self, *words: str, **streams: Any) -> "subprocess.Popen[str]":
        return super().start("--endpoint", self.url, *words, **streams)

    def execute(self, *statements: str) -> None:
        self.stop()
        super().execute(*statements)

    @property
    def url(self) -> str:
        """Where the service is; it is started if none runs."""
        if not self._running:
            self._running.append(_started(self.file))
        return self._running[0].url

    def stop(self) -> None:
        """End the service as SIGTERM does."""
        while self._running:
            self._running.pop().opened.close()


@contextmanager
def called(way: str, directory: Path) -> Iterator[CommandLine]:
    """The command on a store that is `stocked`, in one of the two ways."""
    with in_way(way, stocked(directory)) as command:
        yield command


@contextmanager
def in_way(way: str, embedded: CommandLine) -> Iterator[CommandLine]:
    """Calls on the same store, in one of the two ways."""
    if way == EMBEDDED:
        yield embedded
        return
    command = ThroughService(embedded.directory)
    try:
        yield command
    finally:
        command.stop()


def _started(file: Path) -> _Running:
    with ExitStack() as opened:
        url = opened.enter_context(answering(Settings.from_files(str(file))))
        return _Running(url, opened.pop_all())


@contextmanager
def answering(settings: Settings, port: int = 0) -> Iterator[str]:
    """The address of a service in this process, which runs what it is asked to. It is an
    operator's, and its own token the caller's of the settings."""
    with Controller(settings, caller=Caller()) as controller:
        feed = controller.feed()
        tokens = {digest(own_token(settings.state_dir)): Caller.of(settings.caller)}
        application = make_application(controller, feed, tokens)
        with Server(application, "127.0.0.1", port) as server, closing(feed):
            yield server.url
