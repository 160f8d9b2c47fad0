"""What an audit makes of what it has seen. Pure: what the store says, what hosts say, now ->
verdicts.

Only what surely ended is left over: the end of an instance or of an operation is final, also in a
store that was restored from a backup. What the store does not know may be newer than the store.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from vmwright.backends.removal import Kind
from vmwright.ids import (
    DeploymentId,
    HostId,
    InstanceId,
    Mark,
    OperationId,
    OwnerId,
    is_snapshot,
    volume_of_name,
)
from vmwright.persistence.census import Held, Holding, KnownInstance, KnownOperation, KnownVolume
from vmwright.persistence.debts import BEING_MADE, keeps_addresses, keeps_room, keeps_volumes
from vmwright.persistence.records import Debt
from vmwright.states import ENDED, HELD, OperationState


class Verdict(StrEnum):
    LEFTOVER = "leftover"
    """Ours, and what it was made for has ended: nothing needs it."""
    UNKNOWN = "unknown"
    """Ours, and the store knows nothing of what it was made for."""
    MISSING = "missing"
    """The store says that it is there, and it is not."""
    OWED = "owed"
    """It is to go, and will, as debts are paid."""
    STALE = "stale"
    """An operation that has not ended, and that nobody works on."""
    UNSEEN = "unseen"
    """It could not be looked at."""
    EXPIRING = "expiring"
    """It ends by itself, and bars nobody until then."""
    FOREIGN = "foreign"
    """Not made by this deployment."""


QUIET = frozenset({Verdict.EXPIRING, Verdict.FOREIGN})
"""Nothing is to be done about these."""

_REMEDIES = {
    Verdict.LEFTOVER: "vmwright audit --repair",
    Verdict.UNKNOWN: "if nobody needs it: vmwright audit --repair --adopt-unknown",
    Verdict.MISSING: "bring it back, or delete what it belongs to",
    Verdict.OWED: "vmwright resume, once the host answers",
    Verdict.STALE: "vmwright resume",
    Verdict.UNSEEN: "look again once it answers",
    Verdict.EXPIRING: "",
    Verdict.FOREIGN: "",
}


@dataclass(frozen=True, kw_only=True)
class Thing:
    """Something on a host that carries a mark, or could."""

    host: HostId
    kind: str
    """``domain``, ``volume``, ``snapshot``, ``reservation`` or ``lease``."""
    key: str
    """As `Removal` takes it."""
    mark: Mark | None

    @property
    def debt(self) -> tuple[HostId, str, str]:
        """Where a debt of it would lie."""
        kinds = {"snapshot": Kind.VOLUME, "lease": Kind.RESERVATION}
        return self.host, str(kinds.get(self.kind, self.kind)), self.key


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A thing, and what is to be thought of it."""

    kind: str
    key: str
    verdict: Verdict
    why: str
    host: HostId | None = None
    instance: InstanceId | None = None
    since: float | None = None
    """When it became so, in seconds since the epoch; None if that is not known."""
    thing: Thing | None = None
    holding: Holding | None = None
    remedy: str = ""

    def to_store(self, hosts: Mapping[HostId, str]) -> dict[str, Any]:
        """As users see it."""
        return {
            "host": hosts.get(self.host, self.host) if self.host else None,
            "kind": self.kind,
            "key": self.key,
            "verdict": self.verdict.value,
            "instance_id": self.instance,
            "why": self.why,
            "remedy": self.remedy or _REMEDIES[self.verdict],
        }


@dataclass(frozen=True, kw_only=True)
class Books:
    """What the store says of what was found."""

    deployment: DeploymentId
    now: float
    instances: Mapping[InstanceId, KnownInstance] = field(default_factory=dict)
    operations: Mapping[InstanceId, Sequence[KnownOperation]] = field(default_factory=dict)
    volumes: Mapping[str, KnownVolume] = field(default_factory=dict)
    snapshots: Mapping[str, KnownVolume] = field(default_factory=dict)
    debts: Mapping[tuple[HostId, str, str], Debt] = field(default_factory=dict)


@dataclass(frozen=True)
class _Ended:
    verdict: Verdict
    why: str
    since: float | None = None


def judge(thing: Thing, books: Books) -> Finding | None:
    """None if it is needed, or is being worked on."""
    mark = thing.mark
    if mark is None:
        return _found(thing, _Ended(Verdict.FOREIGN, "it carries no mark of ours"))
    if mark.deployment != books.deployment:
        why = f"deployment {mark.deployment} made it"
        return _found(thing, _Ended(Verdict.FOREIGN, why))
    owed = books.debts.get(thing.debt)
    if owed is not None:
        return judge_debt(owed, books.now, thing)
    ended = _end_of_thing(thing, mark, books)
    return None if ended is None else _found(thing, ended)


def judge_debt(debt: Debt, now: float, thing: Thing | None = None) -> Finding | None:
    """None while somebody makes the thing: the debt is there in case he dies."""
    if debt.reason == BEING_MADE and debt.not_before > now:
        return None
    return Finding(
        kind=thing.kind if thing else debt.kind,
        key=debt.key,
        verdict=Verdict.OWED,
        why=f"it is owed: {debt.reason}",
        host=debt.host_id,
        instance=debt.instance_id,
        since=debt.created_at,
        thing=thing,
    )


def judge_holding(holding: Holding, books: Books) -> Finding | None:
    """None if its instance lives, or is being worked on. It goes with what is owed and may still
    use it."""
    if holding.instance_id is None:
        ended: _Ended | None = _Ended(Verdict.LEFTOVER, "it is nobody's", 0.0)
    elif holding.kind is Held.SECRET:
        ended = _end_of_builds(books, holding.instance_id)
    else:
        ended = _end_of(books, holding.instance_id, holding.operation_id, holding.attempt)
    if ended is None:
        return None
    if any(_keeps(debt, holding) for debt in books.debts.values()):
        ended = _Ended(Verdict.OWED, "it is kept for what is owed and may still use it")
    return Finding(
        kind=holding.kind.value,
        key=holding.key,
        verdict=ended.verdict,
        why=ended.why,
        host=holding.host_id,
        instance=holding.instance_id,
        since=ended.since,
        holding=holding,
    )


def _keeps(debt: Debt, holding: Holding) -> bool:
    if holding.instance_id is None or debt.instance_id != holding.instance_id:
        return False
    asked = {
        Held.PORT: keeps_addresses,
        Held.CLAIM: keeps_room,
        Held.ATTACHMENT: keeps_volumes,
    }.get(holding.kind)
    return asked is not None and asked(debt)


def judge_operation(
    operation: KnownOperation, owners: Mapping[OwnerId, float], now: float, patience: float
) -> Finding | None:
    """None if it ended, or was worked on, or could have been, within `patience` seconds."""
    state = operation.state
    if state in ENDED:
        return None
    if state in (OperationState.STUCK, OperationState.PARKED):
        verb = "retry" if state is OperationState.STUCK else "resume"
        remedy = f"vmwright operation {verb} {operation.id}"
        return _stale(operation, f"its {operation.kind} is {state}", remedy)
    since = max(operation.created_at, operation.started_at or 0.0, operation.not_before)
    why = f"its {operation.kind} is {state}, and nobody has taken it up"
    if state in HELD:
        if operation.owner_id is not None:
            since = max(since, owners.get(operation.owner_id, 0.0))
        why = f"its {operation.kind} is {state}, and who did that is gone"
    return _stale(operation, why) if since + patience < now else None


def missing(kind: str, key: str, why: str, **facts: Any) -> Finding:
    """The store says that it is there, and it is not."""
    return Finding(kind=kind, key=key, verdict=Verdict.MISSING, why=why, **facts)


def absent_claims(
    instances: Sequence[KnownInstance], holdings: Sequence[Holding]
) -> Iterator[Finding]:
    """Built instances whose room nobody keeps: others may be given it."""
    claimed = {h.instance_id for h in holdings if h.kind is Held.CLAIM}
    for instance in instances:
        if instance.id not in claimed:
            why = f"instance {instance.name!r} runs there without a claim"
            yield missing("claim", instance.id, why, host=instance.host_id, instance=instance.id)


def _stale(operation: KnownOperation, why: str, remedy: str = "") -> Finding:
    return Finding(
        kind="operation",
        key=operation.id,
        verdict=Verdict.STALE,
        why=why,
        instance=operation.instance_id,
        since=operation.created_at,
        remedy=remedy,
    )


def _found(thing: Thing, ended: _Ended) -> Finding:
    ours = thing.mark is not None and ended.verdict is not Verdict.FOREIGN
    return Finding(
        kind=thing.kind,
        key=thing.key,
        verdict=ended.verdict,
        why=ended.why,
        host=thing.host,
        instance=thing.mark.instance
        if ours and thing.mark and not is_snapshot(thing.key)
        else None,
        since=ended.since,
        thing=thing,
    )


def _end_of_thing(thing: Thing, mark: Mark, books: Books) -> _Ended | None:
    if thing.kind == "snapshot":
        return _end_of_copy(thing, books)
    if _is_kept(thing, books):
        return None
    return _end_of_volume(thing, books) or _end_of(
        books, mark.instance, mark.operation, mark.attempt
    )


def _is_kept(thing: Thing, books: Books) -> bool:
    """Whether a living volume of the store lies there, whoever made it."""
    row = _row_of(thing, books)
    return row is not None and row.deleted_at is None and row.location == thing.key


def _row_of(thing: Thing, books: Books) -> KnownVolume | None:
    volume = volume_of_name(thing.key) if thing.kind == "volume" else None
    return None if volume is None else books.volumes.get(volume)


def _end_of_volume(thing: Thing, books: Books) -> _Ended | None:
    """Of a data volume that was deleted by itself, while its first instance may live on."""
    if _may_be_a_users(thing, books):
        return _Ended(Verdict.UNKNOWN, "the store was restored, and has forgotten whose data it is")
    row = _row_of(thing, books)
    if row is None or row.deleted_at is None or thing.mark is None:
        return None
    if _is_busy(books, thing.mark.instance):
        return None
    return _Ended(Verdict.LEFTOVER, "its volume was deleted", row.deleted_at)


def _may_be_a_users(thing: Thing, books: Books) -> bool:
    """Whether a build put a data volume there after the backup that the store came from."""
    if thing.mark is None or thing.kind != "volume" or volume_of_name(thing.key) is None:
        return False
    row, mark = _row_of(thing, books), thing.mark
    if (row is not None and row.deleted_at is not None) or _is_busy(books, mark.instance):
        return False
    made = (o for o in books.operations.get(mark.instance, ()) if o.id == mark.operation)
    return any(maker.may_have_gone_well for maker in made)


def _end_of_copy(thing: Thing, books: Books) -> _Ended | None:
    row = books.snapshots.get(thing.mark.instance) if thing.mark else None
    if row is None:
        return _Ended(Verdict.UNKNOWN, "the store does not know its snapshot")
    if row.deleted_at is not None:
        return _Ended(Verdict.LEFTOVER, "its snapshot was deleted", row.deleted_at)
    return None


def _end_of(
    books: Books, instance: InstanceId, operation: OperationId | None, attempt: int | None
) -> _Ended | None:
    """Why nothing made for this instance by this operation's attempt is needed, if so."""
    known = books.instances.get(instance)
    operations = books.operations.get(instance, ())
    if known is None:
        return _Ended(Verdict.UNKNOWN, "the store does not know its instance")
    if _is_busy(books, instance):
        return None
    if known.deleted_at is not None:
        return _Ended(Verdict.LEFTOVER, "its instance was deleted", known.deleted_at)
    maker = next((o for o in operations if o.id == operation), None)
    return _end_of_maker(maker, attempt)


def _end_of_maker(maker: KnownOperation | None, attempt: int | None) -> _Ended | None:
    """Of what a living instance has that no operation works on."""
    if maker is None:
        return _Ended(Verdict.UNKNOWN, "the store does not know the operation that made it")
    if maker.state is not OperationState.DONE:
        why = f"the operation that made it is {maker.state}"
        return _Ended(Verdict.LEFTOVER, why, maker.finished_at)
    if attempt is not None and attempt < maker.attempt:
        why = f"attempt {attempt} of its build made it, and was given up"
        return _Ended(Verdict.LEFTOVER, why, maker.finished_at)
    return None


def _end_of_builds(books: Books, instance: InstanceId) -> _Ended | None:
    """Secrets are for builds only: once they have ended, nobody needs them."""
    if _is_busy(books, instance) or not books.operations.get(instance):
        return None
    ends = [operation.finished_at or 0.0 for operation in books.operations[instance]]
    return _Ended(Verdict.LEFTOVER, "its instance's operations have all ended", max(ends))


def _is_busy(books: Books, instance: InstanceId) -> bool:
    return any(known.state not in ENDED for known in books.operations.get(instance, ()))
