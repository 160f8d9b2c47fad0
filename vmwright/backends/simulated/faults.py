"""Faults and latency of a simulated world: what the settings ask for, and which call meets it."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from vmwright.errors import InvalidRequest

LOOKS = frozenset(
    {
        "facts",
        "domains",
        "find_domain",
        "find_domain_named",
        "console",
        "settle_domain",
        "networks",
        "ours",
        "reservations",
        "leases",
        "settle_network",
        "settle_reservation",
        "volumes",
        "settle_volume",
    }
)
"""Verbs that change nothing: they cost no latency and cannot land late."""

CHANGES = frozenset(
    {
        "ensure_domain",
        "ensure_running",
        "ensure_no_domain",
        "ensure_network",
        "ensure_no_network",
        "ensure_reservation",
        "ensure_no_reservation",
        "ensure_base",
        "ensure_no_base",
        "ensure_volume",
        "ensure_content",
        "ensure_copy",
        "ensure_no_volume",
        "ensure_no_pool",
    }
)
"""Verbs that change the host."""

_ENTRY = re.compile(
    r"(?P<verb>[a-z_]+)(@(?P<host>[a-z0-9-]+))?:(?P<nth>[0-9]+)(?P<onwards>\+?)"
    r":(?P<kind>[a-z]+)(:(?P<seconds>[^:]+))?"
)


class FaultKind(StrEnum):
    """What goes wrong."""

    BEFORE = "before"
    REFUSE = "refuse"
    AFTER = "after"
    LOST = "lost"
    LATE = "late"
    HANG = "hang"
    DOWN = "down"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that goes wrong at one call, or from that call on."""

    verb: str
    host: str | None
    nth: int
    onwards: bool
    kind: FaultKind
    seconds: float

    @property
    def counter(self) -> str:
        """The name of the count that decides: calls of the verb, on one host or on all."""
        return self.verb if self.host is None else f"{self.verb}@{self.host}"

    def concerns(self, verb: str, host: str) -> bool:
        return self.verb == verb and self.host in (None, host)

    def strikes(self, count: int) -> bool:
        return count == self.nth or (self.onwards and count > self.nth)


@dataclass(frozen=True)
class Latency:
    """Seconds that a verb takes; ``*`` stands for those that are not named."""

    by_verb: Mapping[str, float]

    def seconds(self, verb: str) -> float:
        return self.by_verb.get(verb, self.by_verb.get("*", 0.0))


def parse_faults(entries: Sequence[str]) -> tuple[Fault, ...]:
    """The faults behind ``verb[@host]:nth[+]:kind[:seconds]``.

    Raises `InvalidRequest` that names the entry.
    """
    return tuple(_fault(entry.strip()) for entry in entries)


def parse_latency(text: str) -> Latency:
    """The latency behind ``0.5`` or ``verb:seconds,*:seconds``.

    Raises `InvalidRequest` that names the entry.
    """
    entries = [entry.strip() for entry in text.split(",")]
    if len(entries) == 1 and ":" not in entries[0]:
        return Latency({"*": _seconds(entries[0], "latency", entries[0])})
    by_verb = {}
    for entry in entries:
        verb, _, seconds = entry.partition(":")
        if verb != "*" and verb not in CHANGES:
            raise _invalid("latency", entry, f"{verb!r} changes nothing or is no verb")
        by_verb[verb] = _seconds(seconds, "latency", entry)
    return Latency(by_verb)


def count_call(
    faults: Sequence[Fault], counts: Mapping[str, int], verb: str, host: str
) -> tuple[Fault | None, dict[str, int]]:
    """The fault that this call meets, if any, and the counts with this call in them."""
    concerned = [fault for fault in faults if fault.concerns(verb, host)]
    counted = dict(counts)
    for counter in {fault.counter for fault in concerned}:
        counted[counter] = counted.get(counter, 0) + 1
    met = (fault for fault in concerned if fault.strikes(counted[fault.counter]))
    return next(met, None), counted


def _fault(entry: str) -> Fault:
    found = _ENTRY.fullmatch(entry)
    if found is None:
        raise _invalid("fault", entry, "it is not verb[@host]:nth:kind[:seconds]")
    verb, nth, kind = found["verb"], int(found["nth"]), _kind(found["kind"], entry)
    if verb not in LOOKS | CHANGES:
        raise _invalid("fault", entry, f"{verb!r} is not a verb of a backend")
    if nth < 1:
        raise _invalid("fault", entry, "calls are counted from 1")
    if kind is FaultKind.LATE and verb not in CHANGES:
        raise _invalid("fault", entry, f"{verb!r} changes nothing that could land late")
    if (found["seconds"] is not None) != (kind is FaultKind.LATE):
        raise _invalid("fault", entry, "seconds are given for the kind late, and for no other")
    return Fault(
        verb=verb,
        host=found["host"],
        nth=nth,
        onwards=bool(found["onwards"]),
        kind=kind,
        seconds=_seconds(found["seconds"] or "0", "fault", entry),
    )


def _kind(text: str, entry: str) -> FaultKind:
    try:
        return FaultKind(text)
    except ValueError as error:
        known = ", ".join(FaultKind)
        raise _invalid("fault", entry, f"{text!r} is not one of {known}") from error


def _seconds(text: str, setting: str, entry: str) -> float:
    try:
        seconds = float(text)
    except ValueError as error:
        raise _invalid(setting, entry, f"{text!r} is not a number of seconds") from error
    if not math.isfinite(seconds) or seconds < 0:
        raise _invalid(setting, entry, f"{text!r} is not a number of seconds")
    return seconds


def _invalid(setting: str, entry: str, reason: str) -> InvalidRequest:
    return InvalidRequest(
        f"simulated {setting} {entry!r}: {reason}",
        hint="correct the option in the group [simulated] of the configuration",
    )
