"""One simulated host: what surrounds every verb, whatever it does."""

import errno
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from vmwright.backends.simulated import jobs
from vmwright.backends.simulated.faults import Fault, FaultKind, Latency
from vmwright.backends.simulated.indexes import index_strays
from vmwright.backends.simulated.jobs import Change
from vmwright.backends.simulated.records import runs, switched_off
from vmwright.backends.simulated.world import Calls, Folder, HostFiles, Record
from vmwright.errors import HostFault, Refused, Unavailable
from vmwright.waiting import Wait

_log = logging.getLogger(__name__)

_DOWN = "down"
"""The file that means power off: made by a fault, a test or an operator."""

_WAS_DOWN = "was-down"
"""The file that remembers it until the power is back and the guests were switched off."""

Effect = Callable[[HostFiles, Record], None]
"""Carries a change out, under the host's turn; may be repeated, raises before it changes."""

_Moment = Callable[[str, Wait, str], AbstractContextManager[object]]
_Seen = TypeVar("_Seen")


class Machine:
    """Power, faults, latency, turns and late effects of one host. Thread-safe."""

    def __init__(
        self, files: HostFiles, calls: Calls, latency: Latency, effects: Mapping[str, Effect]
    ) -> None:
        self.files = files
        self._calls = calls
        self._latency = latency
        self._effects = effects
        self._indexed = False

    def look(self, verb: str, key: str, wait: Wait, see: Callable[[], _Seen]) -> _Seen:
        """What `see` reads from the files, unless a fault or the host's power forbids."""
        what = self._what(verb, key)
        with usable(what):
            fault = self._meet(verb, wait, what)
            seen = see()
        _fail(fault, what)
        return seen

    def settle(self, verb: str, key: str, wait: Wait) -> None:
        """Return once no job on `key` is under way."""
        what = self._what(verb, key)
        with usable(what):
            fault = self._meet(verb, wait, what)
            with self._idle(key, wait, what):
                pass
        _fail(fault, what)

    def make(self, change: Change, wait: Wait) -> None:
        """Carry out a change once no job on its key is under way, as a host's own locks do."""
        self._carry_out(change, wait, self._idle)

    def unmake(self, change: Change, wait: Wait) -> None:
        """Carry out a change at once: a job that is under way on its key lands afterwards."""
        self._carry_out(change, wait, self._now)

    def check_reachable(self, what: str) -> None:
        """`Unavailable` if the host is down: for what lasts longer than one verb."""
        if self.files.flagged(_DOWN):
            raise _down(what)

    def _carry_out(self, change: Change, wait: Wait, moment: _Moment) -> None:
        what = self._what(change.verb, change.key)
        half = self._latency.seconds(change.verb) / 2
        with usable(what):
            fault = self._meet(change.verb, wait, what, at_once=not half)
            _spend(half, wait, what)
            if fault is not None and fault.kind is FaultKind.LATE:
                self._send(change, fault.seconds, wait, what)
            with moment(change.key, wait, what):
                self._effects[change.verb](self.files, change.record)
            _spend(half, wait, what)
        _fail(fault, what)

    def _meet(self, verb: str, wait: Wait, what: str, *, at_once: bool = False) -> Fault | None:
        """Raise what the host's power or a fault makes of this call before anything happens.

        A change that comes `at_once` and meets no fault looks after the power itself.
        """
        wait.check(what)
        self.files.watch("begun")
        if at_once and not self._calls.concern(verb, self.files.name):
            return None
        if self._needs_attention():
            with self._now("", wait, what):
                pass
        fault = self._calls.count(verb, self.files.name, wait)
        match fault.kind if fault else None:
            case FaultKind.BEFORE:
                raise HostFault(f"{what}: failed as the settings ask")
            case FaultKind.REFUSE:
                raise Refused(f"{what}: refused as the settings ask")
            case FaultKind.DOWN:
                self._cut_power(wait, what)
            case FaultKind.HANG:
                _hang(wait, what)
        return fault

    def _needs_attention(self) -> bool:
        """Whether this is the first use, the power changed, or jobs may be due.

        Cheap, for it precedes every look.
        """
        files = self.files
        changed = not self._indexed or files.flagged(_DOWN) or files.flagged(_WAS_DOWN)
        return changed or bool(files.keys(Folder.JOBS))

    def _send(self, change: Change, seconds: float, wait: Wait, what: str) -> None:
        with self._now(change.key, wait, what):
            jobs.send(self.files, change, seconds)
        raise Unavailable(f"{what}: no answer, as the settings ask; it will land later")

    def _cut_power(self, wait: Wait, what: str) -> None:
        with self._now("", wait, what):
            self.files.flag(_DOWN)
        self._check_power(what)

    @contextmanager
    def _now(self, _key: str, wait: Wait, what: str) -> Iterator[Sequence[jobs.Job]]:
        """Hold the host while it has power, and with all that is due landed. Yields what is
        not."""
        with self.files.turn(wait, what):
            self._check_power(what)
            if not self._indexed:
                index_strays(self.files)
                self._indexed = True
            due, left = jobs.by_turn(self.files)
            for job in due:
                self._land(job)
            yield left

    @contextmanager
    def _idle(self, key: str, wait: Wait, what: str) -> Iterator[None]:
        """Hold the host as `_now` does, at a moment when no job on `key` is under way."""
        while True:
            with self._now(key, wait, what) as left:
                seconds = jobs.seconds_until_idle(left, key)
                if not seconds:
                    yield
                    return
            wait.pause(seconds, what)

    def _check_power(self, what: str) -> None:
        """Under the host's turn: `Unavailable` while the power is off."""
        files = self.files
        if files.flagged(_DOWN):
            files.flag(_WAS_DOWN)
            raise _down(what)
        if files.flagged(_WAS_DOWN):
            _power_returned(files)
            files.unflag(_WAS_DOWN)

    def _land(self, job: jobs.Job) -> None:
        change = job.change
        try:
            self._effects[change.verb](self.files, change.record)
        except (Refused, HostFault) as error:
            _log.warning("%s came late: %s", self._what(change.verb, change.key), error)
        jobs.drop(self.files, job)

    def _what(self, verb: str, key: str) -> str:
        return " ".join(filter(None, [verb, key, f"on host {self.files.name}"]))


def _power_returned(files: HostFiles) -> None:
    """Guests do not outlive a power cut; what the host was asked and had not done is forgotten."""
    for job in jobs.under_way(files):
        jobs.drop(files, job)
    for domain in files.records(Folder.DOMAINS):
        if runs(domain):
            files.put(Folder.DOMAINS, domain["uuid"], {**domain, **switched_off()})


def _down(what: str) -> Unavailable:
    return Unavailable(
        f"{what}: the host is down", hint=f"remove the file {_DOWN} of the simulated host"
    )


def _spend(seconds: float, wait: Wait, what: str) -> None:
    if seconds:
        wait.pause(seconds, what)


def _hang(wait: Wait, what: str) -> None:
    while True:
        wait.pause(wait.remaining(), what)


def _fail(fault: Fault | None, what: str) -> None:
    """Raise what a fault makes of a call that had its effect."""
    match fault.kind if fault else None:
        case FaultKind.AFTER:
            raise HostFault(f"{what}: failed after its effect, as the settings ask")
        case FaultKind.LOST:
            raise Unavailable(f"{what}: no answer, as the settings ask")


@contextmanager
def usable(what: str) -> Iterator[None]:
    """`Unavailable` if the files that make the host cannot be read or written."""
    try:
        yield
    except OSError as error:
        starved = error.errno in (errno.EMFILE, errno.ENFILE)
        raise Unavailable(
            f"{what}: the files of the host cannot be used: {error.strerror}",
            hint="let this process open more files: LimitNOFILE of its service, or ulimit -n"
            if starved
            else "make world_dir in the group [simulated] a directory that you may write",
        ) from error
