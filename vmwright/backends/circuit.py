"""A host that does not answer is left alone for a while, and asked again by one caller first."""

import fcntl
import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

from vmwright.errors import Unavailable
from vmwright.ids import new_id

LOG = logging.getLogger(__name__)

_LONGEST = 6
"""How many times the first rest a rest may be: a host that is back is not kept waiting for long."""


class CircuitState(StrEnum):
    """Whether callers reach a host."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, kw_only=True)
class Condition:
    """How one controller stands with one host."""

    state: CircuitState = CircuitState.CLOSED
    since: float | None = None
    """When it first did not answer, in seconds of the wall clock; None while it does."""
    reason: str | None = None
    unanswered: int = 0
    """Calls whose outcome nobody knows, when it last did not answer."""


Tell = Callable[[Condition], None]


def unheard(_condition: Condition) -> None:
    """Nobody wants to know."""


class Circuit:
    """Who may ask a host. Thread-safe.

    Closed: all. Open, after a call was not answered: nobody, for `rest` seconds, and longer each
    time. Then half-open: one caller, the probe; what it hears closes the circuit or opens it.
    """

    def __init__(
        self,
        host: str,
        rest: float,
        tell: Tell,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host = host
        self._first_rest = self._rest = rest
        self._tell = tell
        self._clock = clock
        self._lock = threading.Lock()
        self._condition = Condition()
        self._rests_until = 0.0
        self._probed = False

    @property
    def condition(self) -> Condition:
        return self._condition

    @contextmanager
    def admitted(self, what: str) -> Iterator[bool]:
        """Ask the host inside, if you may; `Unavailable` at once if not.

        Yields whether this caller is the probe: what it hears it must say with `answered` or
        `silent`. If it ends without a word, the next caller is the probe.
        """
        probing = self._admit(what)
        try:
            yield probing
        finally:
            if probing:
                self._end_probe()

    def answered(self) -> None:
        """The host answers: everybody may ask it."""
        with self._lock:
            since, self._rest = self._condition.since, self._first_rest
            if since is not None:
                self._turn(Condition())
                LOG.info("%s answers again after %.0f s", self._host, time.time() - since)

    def end(self) -> None:
        """Nobody asks any more: nothing is said of the host from now on."""
        with self._lock:
            if self._condition.since is not None:
                self._turn(Condition())

    def silent(self, reason: str, unanswered: int) -> None:
        """The host did not answer: nobody asks it for a while."""
        with self._lock:
            since, now = self._condition.since, self._clock()
            opened = Condition(
                state=CircuitState.OPEN,
                since=time.time() if since is None else since,
                reason=reason,
                unanswered=unanswered,
            )
            if now < self._rests_until and self._condition.state is CircuitState.OPEN:
                self._turn(opened)  # calls that were made before it rested
                return
            if since is not None:
                self._rest = min(self._rest * 2, self._first_rest * _LONGEST)
            self._rests_until = now + self._rest
            self._turn(opened)
            LOG.info(
                "%s does not answer and rests for %.0f s: %s (calls without an answer: %d)",
                *(self._host, self._rest, reason, unanswered),
            )

    def _admit(self, what: str) -> bool:
        with self._lock:
            if self._condition.state is CircuitState.CLOSED:
                return False
            rest = self._rests_until - self._clock()
            if rest > 0:
                raise self._away(f"{what}: the host did not answer and rests for {rest:.1f} s")
            if self._probed:
                raise self._away(f"{what}: the host did not answer and is being asked again")
            self._probed = True
            self._turn(replace(self._condition, state=CircuitState.HALF_OPEN))
            LOG.info("%s is asked again", self._host)
            return True

    def _end_probe(self) -> None:
        with self._lock:
            self._probed = False
            if self._condition.state is CircuitState.HALF_OPEN:
                self._turn(replace(self._condition, state=CircuitState.OPEN))

    def _turn(self, condition: Condition) -> None:
        self._condition = condition
        self._tell(condition)

    def _away(self, message: str) -> Unavailable:
        return Unavailable(
            f"{self._host}: {message}",
            hint="see that libvirtd on the host answers; vmwright host show says since when",
        )


class Board:
    """Where the controllers of a machine tell each other how they stand with their hosts.

    One file per host and controller, there while the host does not answer, and locked as long as
    its controller lives: one that nobody holds is of the dead.
    """

    def __init__(self, state_dir: Path) -> None:
        self._directory = state_dir / "circuits"

    def teller(self, uri: str) -> Tell:
        """Writes down how this process stands with the host at this address."""
        return _Sheet(self._directory / f"{_digest(uri)}-{new_id()}.json").tell

    def condition(self, uri: str) -> Condition:
        """The worst that a living controller says of a host."""
        told = [_read(path) for path in self._directory.glob(f"{_digest(uri)}-*.json")]
        away = [condition for condition in told if condition is not None]
        return min(away, key=lambda condition: condition.since or 0.0, default=Condition())


class _Sheet:
    """What one controller says of one host. A disk that is full must not keep it from asking."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def tell(self, condition: Condition) -> None:
        try:
            if condition.state is CircuitState.CLOSED:
                self._remove()
            else:
                self._write(condition)
        except OSError as error:
            LOG.warning("%s could not be written: %s", self._path, error.strerror)

    def _write(self, condition: Condition) -> None:
        if self._descriptor is None:
            self._descriptor = self._opened()
        text = json.dumps(asdict(condition)).encode()
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text, 0)

    def _opened(self) -> int:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        while True:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            # Whoever reads holds it for a moment.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                return descriptor
            # He came before our lock, and took it for a dead one's.
            os.close(descriptor)

    def _remove(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
            self._path.unlink(missing_ok=True)


def _digest(uri: str) -> str:
    return hashlib.sha256(uri.encode()).hexdigest()[:32]


def _read(path: Path) -> Condition | None:
    """What a living controller says; the sheet of a dead one is removed."""
    try:
        with path.open("rb") as sheet:
            if _is_free(sheet.fileno()):
                path.unlink(missing_ok=True)
                return None
            told = json.loads(sheet.read())
        return Condition(**{**told, "state": CircuitState(told["state"])})
    except (FileNotFoundError, ValueError, TypeError):
        return None  # just written, or just removed


def _is_free(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
