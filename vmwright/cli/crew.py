"""Several processes that serve one store, where one is bound by the interpreter's lock."""

import logging
import selectors
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from vmwright.cli.lifeline import LONGEST, SILENCE, STOP
from vmwright.cli.notify import Notifier

LOG = logging.getLogger(__name__)

_TICK = 1.0
_SETTLED = 60.0
"""Seconds after which the end of a process says nothing of how long the next one lasts."""
_LONGEST_PAUSE = 30.0

Words = Callable[[int, int], Sequence[str]]
"""The command of a process, from its number, counted from 1, and its end of the lifeline."""


@dataclass
class _Process:
    """One of a crew."""

    process: subprocess.Popen[bytes]
    line: socket.socket
    heard: float
    ready: bool = False
    running: int = 0
    """Operations that it runs."""

    def note(self, said: str) -> None:
        """What it says of itself, in systemd's words."""
        self.heard = time.monotonic()
        for word in said.splitlines():
            name, _, value = word.partition("=")
            self.ready |= name == "READY"
            if name == "STATUS" and value.rpartition(" ")[2].isdecimal():
                self.running = int(value.rpartition(" ")[2])


@dataclass
class _Place:
    """Where one process after the other works."""

    number: int
    begun: float = 0.0
    due: float = 0.0
    """When the next one is begun."""
    falls: int = 0
    """How many in a row ended soon."""
    who: _Process | None = None

    def begin(self, words: Words) -> _Process:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen(
                words(self.number, theirs.fileno()),
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                # Ctrl-C at a terminal is for the crew as a whole, which passes it on.
                process_group=0,
            )
        self.begun = time.monotonic()
        self.who = _Process(process, ours, self.begun)
        return self.who

    def wait_before_the_next(self, now: float) -> None:
        """At once after the first that ends; longer each time while they end soon."""
        self.falls = 0 if now - self.begun > _SETTLED else self.falls + 1
        pause = min(2.0 ** (self.falls - 2), _LONGEST_PAUSE) if self.falls > 1 else 0.0
        self.due = now + pause


class Crew:
    """Begins processes, watches them, begins others for those that end, and stops them all.

    It opens no store: each of them is an owner of its own there, as if somebody had begun them
    one by one.
    """

    def __init__(
        self,
        words: Words,
        size: int,
        notifier: Notifier,
        *,
        not_again: frozenset[int],
        silence: float = SILENCE,
    ) -> None:
        """`not_again` are the exit codes of a process that would end so again. `notifier` is
        told of the crew as of one service: ready once each of them is. Who says nothing for
        `silence` seconds is cut off."""
        self._words = words
        self._notifier = notifier
        self._not_again = not_again
        self._silence = silence
        self._places = [_Place(number) for number in range(1, size + 1)]
        self._selector = selectors.DefaultSelector()
        self._codes: list[int] = []
        self._was_complete = False
        self._stopping = False
        self._told = ""

    def serve_until(self, stop: threading.Event) -> int:
        """Keep them at work until `stop` is set, or until one has ended as the next one would;
        then wait for the end of all. Returns 0, or the first exit code that was not."""
        ours, theirs = socket.socketpair()
        with self._selector, ours, theirs:
            self._selector.register(ours, selectors.EVENT_READ)
            threading.Thread(
                target=_wake, args=[stop, theirs], name="vmwright-crew", daemon=True
            ).start()
            while not stop.is_set() and not self._codes:
                self._fill_places()
                self._listen()
                self._cut_off_the_silent()
                self._tell()
            self._stop_all()
            while any(place.who for place in self._places):
                self._listen()
            stop.set()
        return next((code for code in self._codes if code), 0)

    def cut_off(self) -> None:
        """End them at once, as a power cut would. For another thread to call."""
        for place in self._places:
            if (who := place.who) is not None:
                who.process.kill()

    def _fill_places(self) -> None:
        for place in self._places:
            if place.who is None and time.monotonic() >= place.due:
                who = place.begin(self._words)
                self._selector.register(who.line, selectors.EVENT_READ, place)
                LOG.info("process %d of the crew begins: %d", place.number, who.process.pid)

    def _listen(self) -> None:
        """Hear what they say, or that they are gone."""
        for key, _ in self._selector.select(_TICK):
            if key.data is None:
                self._selector.unregister(key.fileobj)
            else:
                self._hear(key.data)

    def _hear(self, place: _Place) -> None:
        who = place.who
        assert who is not None, "it is listened to"
        try:
            said = who.line.recv(LONGEST)
        except ConnectionResetError:  # gone, with a word of ours unread
            said = b""
        if said:
            who.note(said.decode(errors="replace"))
            return
        self._selector.unregister(who.line)
        who.line.close()
        place.who = None
        self._note_end(place, who.process.wait())

    def _note_end(self, place: _Place, code: int) -> None:
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        if self._stopping:
            self._codes.append(128 - code if code < 0 else code)
        elif code in self._not_again or (code > 0 and not self._was_complete):
            LOG.error("process %d of the crew ended: %s; so would the next", place.number, how)
            self._codes.append(code)
        else:
            LOG.warning("process %d of the crew ended: %s; another follows", place.number, how)
            place.wait_before_the_next(time.monotonic())

    def _cut_off_the_silent(self) -> None:
        now = time.monotonic()
        for place in self._places:
            if place.who is not None and now - place.who.heard > self._silence:
                LOG.error("process %d of the crew has hung and is cut off", place.number)
                place.who.process.kill()

    def _tell(self) -> None:
        here = [place.who for place in self._places if place.who is not None]
        ready = sum(who.ready for who in here)
        self._was_complete |= ready == len(self._places)
        if self._was_complete:
            running = sum(who.running for who in here)
            status = f"STATUS=operations that run here: {running}, in {ready} processes"
            if status != self._told:
                self._notifier.say("READY=1", status)
                self._told = status
        self._notifier.alive(0.0)

    def _stop_all(self) -> None:
        self._stopping = True
        self._notifier.say("STOPPING=1", "STATUS=what runs is put down")
        for place in self._places:
            if place.who is not None:
                # Whoever is gone already is heard to be.
                with suppress(OSError):
                    place.who.line.send(STOP)


def _wake(stop: threading.Event, bell: socket.socket) -> None:
    stop.wait()
    with suppress(OSError):  # nobody listens any more
        bell.send(b"!")
