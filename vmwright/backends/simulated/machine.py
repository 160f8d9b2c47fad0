"""One simulated host: what surrounds every verb, whatever it does."""

import errno
import logging
from collections.abc import Callable, Mapping
from typing import TypeVar

from vmwright.backends.simulated import jobs
from vmwright.backends.simulated.faults import Fault, FaultKind, Latency
from vmwright.backends.simulated.indexes import index_strays
from vmwright.backends.simulated.jobs import Change
from vmwright.backends.simulated.records import SWITCHED_OFF, runs
from vmwright.backends.simulated.world import (
    DOWN,
    WAS_DOWN,
    Calls,
    Folder,
    HostFiles,
    Record,
)
from vmwright.errors import HostFault, Refused, Unavailable
from vmwright.waiting import Wait

_log = logging.getLogger(__name__)

Effect = Callable[[HostFiles, Record], None]
"""Carries a change out, under the host's turn; may be repeated, raises before it changes."""

_ANY = ""
"""The key of no job: whoever waits for that waits for none."""

_STEP = 0.25
"""Seconds between two things that a change says of its progress."""

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
        try:
            fault = self._meet(verb, wait, what)
            seen = see()
        except OSError as error:
            raise unusable(what, error) from error
        if fault is not None:
            _fail(fault, what)
        return seen

    def settle(self, verb: str, key: str, wait: Wait) -> None:
        """Return once no job on `key` is under way."""
        what = self._what(verb, key)
        try:
            fault = self._meet(verb, wait, what)
            self._in_turn(key, wait, what, _nothing)
        except OSError as error:
            raise unusable(what, error) from error
        if fault is not None:
            _fail(fault, what)

    def takes_time(self, change: Change) -> bool:
        """Whether the settings have it last."""
        return self._latency.seconds(change.verb) > 0

    def make(self, change: Change, wait: Wait, *, moves: int = 0) -> None:
        """Carry out a change once no job on its key is under way, as a host's own locks do.

        It moves so many bytes, and tells how far it is while it does.
        """
        self._carry_out(change, wait, change.key, moves)

    def unmake(self, change: Change, wait: Wait) -> None:
        """Carry out a change at once: a job that is under way on its key lands afterwards."""
        self._carry_out(change, wait, _ANY)

    def check_reachable(self, what: str) -> None:
        """`Unavailable` if the host is down: for what lasts longer than one verb."""
        if self.files.flagged(DOWN):
            raise _down(what)

    def _carry_out(self, change: Change, wait: Wait, idle: str, moves: int = 0) -> None:
        verb = change.verb
        what = self._what(verb, change.key)
        half = self._latency.seconds(verb) / 2
        try:
            fault = self._meet(verb, wait, what, at_once=not half)
            if half:
                _spend(half, wait, what, range(0, moves // 2), moves)
            if fault is not None and fault.kind is FaultKind.LATE:
                self._send(change, fault.seconds, wait, what)
            effect = self._effects[verb]
            self._in_turn(idle, wait, what, lambda: effect(self.files, change.record))
        except OSError as error:
            raise unusable(what, error) from error
        if half:
            _spend(half, wait, what, range(moves // 2, moves), moves)
        if fault is not None:
            _fail(fault, what)

    def _meet(self, verb: str, wait: Wait, what: str, *, at_once: bool = False) -> Fault | None:
        """Raise what the host's power or a fault makes of this call before anything happens.

        A change that comes `at_once` and meets no fault looks after the power itself.
        """
        wait.check(what)
        if self.files.watch is not None:
            self.files.watch("begun")
        if at_once and not self._calls.concern(verb, self.files.name):
            return None
        if not (self._indexed and self.files.is_quiet()):
            self._in_turn(_ANY, wait, what, _nothing)
        fault = self._calls.count(verb, self.files.name, wait)
        if fault is None:
            return None
        match fault.kind:
            case FaultKind.BEFORE:
                raise HostFault(f"{what}: failed as the settings ask")
            case FaultKind.REFUSE:
                raise Refused(f"{what}: refused as the settings ask")
            case FaultKind.DOWN:
                self._cut_power(wait, what)
            case FaultKind.HANG:
                _hang(wait, what)
        return fault

    def _send(self, change: Change, seconds: float, wait: Wait, what: str) -> None:
        self._in_turn(_ANY, wait, what, lambda: jobs.send(self.files, change, seconds))
        raise Unavailable(f"{what}: no answer, as the settings ask; it will land later")

    def _cut_power(self, wait: Wait, what: str) -> None:
        self._in_turn(_ANY, wait, what, lambda: self.files.flag(DOWN))
        self._check_power(what)

    def _in_turn(self, idle: str, wait: Wait, what: str, act: Callable[[], None]) -> None:
        """Act while nobody else does, the host has power, all that is due has landed, and no
        job on the key `idle` is under way."""
        files = self.files
        while True:
            files.begin_turn(wait, what)
            try:
                calm = self._indexed and files.is_quiet()
                seconds = 0.0 if calm else self._catch_up(idle, what)
                if not seconds:
                    act()
                    return
            finally:
                files.end_turn()
            wait.pause(seconds, what)

    def _catch_up(self, idle: str, what: str) -> float:
        """Do what the host was to do by itself; seconds until no job on this key is under way.

        Under the host's turn; `Unavailable` while the power is off.
        """
        if not self._indexed:
            self.files.keep_host()
        self._check_power(what)
        if not self._indexed:
            index_strays(self.files)
            self._indexed = True
        due, left = jobs.by_turn(self.files)
        for job in due:
            self._land(job)
        return jobs.seconds_until_idle(left, idle)

    def _check_power(self, what: str) -> None:
        """Under the host's turn: `Unavailable` while the power is off."""
        files = self.files
        if files.flagged(DOWN):
            files.flag(WAS_DOWN)
            raise _down(what)
        if files.flagged(WAS_DOWN):
            _power_returned(files)
            files.unflag(WAS_DOWN)

    def _land(self, job: jobs.Job) -> None:
        change = job.change
        try:
            self._effects[change.verb](self.files, change.record)
        except (Refused, HostFault) as error:
            _log.warning("%s came late: %s", self._what(change.verb, change.key), error)
        jobs.drop(self.files, job)

    def _what(self, verb: str, key: str) -> str:
        call = f"{verb} {key}" if key else verb
        return f"{call} on host {self.files.name}"


def _power_returned(files: HostFiles) -> None:
    """Guests do not outlive a power cut; what the host was asked and had not done is forgotten."""
    for job in jobs.under_way(files):
        jobs.drop(files, job)
    for domain in files.records(Folder.DOMAINS):
        if runs(domain):
            files.put(Folder.DOMAINS, domain["uuid"], {**domain, **SWITCHED_OFF})


def _down(what: str) -> Unavailable:
    return Unavailable(
        f"{what}: the host is down", hint=f"remove the file {DOWN} of the simulated host"
    )


def _spend(seconds: float, wait: Wait, what: str, part: range, moves: int) -> None:
    """Let this time pass, in which this part of the bytes is moved."""
    steps = max(1, round(seconds / _STEP)) if moves else 1
    for step in range(1, steps + 1):
        wait.pause(seconds / steps, what)
        if moves:
            wait.moved(part.start + len(part) * step // steps, moves, what)


def _nothing() -> None:
    """What is done by whoever takes a turn to wait, or to have the host do what is due."""


def _hang(wait: Wait, what: str) -> None:
    while True:
        wait.pause(wait.remaining(), what)


def _fail(fault: Fault, what: str) -> None:
    """Raise what a fault makes of a call that had its effect."""
    match fault.kind:
        case FaultKind.AFTER:
            raise HostFault(f"{what}: failed after its effect, as the settings ask")
        case FaultKind.LOST:
            raise Unavailable(f"{what}: no answer, as the settings ask")


def unusable(what: str, error: OSError) -> Unavailable:
    """What a caller hears if the files that make the host cannot be read or written."""
    starved = error.errno in (errno.EMFILE, errno.ENFILE)
    return Unavailable(
        f"{what}: the files of the host cannot be used: {error.strerror}",
        hint="let this process open more files: LimitNOFILE of its service, or ulimit -n"
        if starved
        else "make world_dir in the group [simulated] a directory that you may write",
    )
