"""Kinds of things that an audit meets, a sentence each: who is to go, and who is not."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.support.seeded import Seeder, Traces, nobody, other_deployment
from vmwright.ids import OperationId, base_name, new_id, volume_name

Seeding = Callable[[Seeder], Traces]


@dataclass(frozen=True)
class Kind:
    """What is put there, and what an audit should say of it; None: nothing at all."""

    sentence: str
    seed: Seeding
    verdict: str | None
    changes_row: bool = False
    """Whether its row stays, and lets go of what it was for."""


KINDS: list[Kind] = []


def kind(
    sentence: str, verdict: str | None, *, changes_row: bool = False
) -> Callable[[Seeding], Seeding]:
    def add(seed: Seeding) -> Seeding:
        KINDS.append(Kind(sentence, seed, verdict, changes_row))
        return seed

    return add


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


# To be found and removed.

LEFT = "leftover"
kind("the guest of an instance that was deleted", LEFT)(lambda s: s.domain(s.mark()))
kind("its root disk", LEFT)(lambda s: s.disk(s.mark()))
kind("its config drive, which holds what its guest was told", LEFT)(
    lambda s: s.disk(s.mark(), "config", "raw")
)
kind("its DHCP reservation", LEFT)(lambda s: s.reservation(s.mark()))
kind("its DHCP lease, with no reservation behind it", LEFT)(
    lambda s: s.reservation(s.mark(), folder="leases")
)
kind("the guest of a build that was taken back", LEFT)(
    lambda s: s.domain(s.mark(state="undone", deleted=False))
)
kind("the disk of a build that was cancelled", LEFT)(
    lambda s: s.disk(s.mark(state="cancelled", deleted=False), "swap")
)
kind("the disk of an attempt that was given up, of an instance that lives", LEFT)(
    lambda s: s.disk(_living(s, attempts=2))
)
kind("the claim of an instance that was deleted", LEFT)(lambda s: s.claim(s.mark()))
kind("the attachment of an instance that was deleted: its volume is free", LEFT)(
    lambda s: s.attachment(s.mark())
)
kind("the address of an instance that was deleted", LEFT)(lambda s: s.port(s.mark()))
kind("an address that nobody holds", LEFT)(lambda s: s.port(None))
kind("a user's own port, held by an instance that was deleted", LEFT, changes_row=True)(
    lambda s: s.port(s.mark(), user_made=True)
)
kind("the secret of a build that has ended", LEFT, changes_row=True)(
    lambda s: s.secret(s.mark(state="undone", deleted=False))
)
kind("a cached image that no image of the store needs", LEFT)(
    lambda s: s.base(digest("forgotten"), old=True)
)
kind("the bytes of an image that has no row, and are not being registered", LEFT)(
    lambda s: s.aged(s.image(digest("bytes"), row=False))
)
kind("the half import of a process that is dead", LEFT)(lambda s: s.draft(locked=False))
kind("the lock of an owner that is dead, and that the store has forgotten", LEFT)(
    lambda s: s.owner_lock(locked=False)
)


@kind("a volume that was deleted, of an instance that lives", LEFT)
def _deleted_volume(s: Seeder) -> Traces:
    mark = _living(s)
    volume, _ = s.volume_row(mark, deleted=True)
    return s.volume(s.location(volume))


@kind("a snapshot that was deleted", LEFT)
def _deleted_snapshot(s: Seeder) -> Traces:
    return s.snapshot(row=True, deleted=True)[1]


@kind("a cached image that no instance was made from for a day", LEFT)
def _unused_base(s: Seeder) -> Traces:
    s.image(digest("unused"))
    return s.base(digest("unused"), old=True)


# Ours, and not known to the store: to be told of, and left.

kind("a guest of an instance that the store does not know", "unknown")(
    lambda s: s.domain(nobody(s.deployment))
)
kind("a disk of an instance that the store does not know", "unknown")(
    lambda s: s.disk(nobody(s.deployment))
)
kind("a reservation of an instance that the store does not know", "unknown")(
    lambda s: s.reservation(nobody(s.deployment))
)
kind("a snapshot that the store does not know", "unknown")(lambda s: s.snapshot(row=False)[1])
kind("a network of ours that the store does not know", "unknown")(
    lambda s: s.network_on_host(ours=True)
)
kind("a disk of a known instance, made by an operation that is not known", "unknown")(
    lambda s: s.disk(replace(_living(s), operation=OperationId(new_id())))
)

# Not ours: never touched.

kind("another deployment's guest", "foreign")(lambda s: s.domain(other_deployment(s.mark())))
kind("a guest that nobody has marked", "foreign")(lambda s: s.domain(None))
kind("another deployment's disk in our pool", "foreign")(
    lambda s: s.disk(other_deployment(s.mark()))
)
kind("a volume that nobody has marked", "foreign")(lambda s: s.volume("stranger.qcow2"))
kind("another deployment's reservation on our network", "foreign")(
    lambda s: s.reservation(other_deployment(s.living))
)
kind("a reservation that nobody has marked", "foreign")(lambda s: s.reservation(None))
kind("another deployment's cached image", "foreign")(
    lambda s: s.base(digest("theirs"), old=True, deployment=new_id())
)
kind("a network that nobody has marked", None)(lambda s: s.network_on_host(ours=False))

# Needed, or being worked on.

kind("the guest of a build that was interrupted, and will go on", None)(
    lambda s: s.domain(s.mark(state="interrupted", deleted=False))
)
kind("the disk of a build that is being taken back", None)(
    lambda s: s.disk(s.mark(state="undoing", deleted=False))
)
kind("the claim of a build that runs", None)(
    lambda s: s.claim(s.mark(state="running", deleted=False))
)
kind("the address of a build that is queued", None)(
    lambda s: s.port(s.mark(state="queued", deleted=False))
)
kind("the secret of a build that runs", None)(
    lambda s: s.secret(s.mark(state="running", deleted=False))
)
kind("the disk of an instance whose delete is stuck", None)(
    lambda s: s.disk(s.mark(state="stuck", kind="delete", deleted=False))
)
kind("a user's own port that no instance has", None)(lambda s: s.port(None, user_made=True))
kind("the bytes of an image that is just being registered", None)(
    lambda s: s.image(digest("young"), row=False)
)
kind("an import that goes on", None)(lambda s: s.draft(locked=True))
kind("the lock of an owner that lives", None)(lambda s: s.owner_lock(locked=True))


@kind("a volume that its user kept when its instance was deleted", None)
def _kept_volume(s: Seeder) -> Traces:
    volume, traces = s.volume_row(s.mark())
    return traces | s.volume(s.location(volume))


@kind("a snapshot of the store", None)
def _living_snapshot(s: Seeder) -> Traces:
    return s.snapshot(row=True)[1]


@kind("a snapshot that is being made", None)
def _snapshot_being_made(s: Seeder) -> Traces:
    snapshot, traces = s.snapshot(row=False)
    mark = replace(nobody(s.deployment), instance=snapshot)
    (path,) = traces.files
    return traces | s.debt("volume", _stem(path), mark, reason="being made")


@kind("a disk that a lost call may still write: its debt is not due", "owed")
def _put_off(s: Seeder) -> Traces:
    mark = s.mark()
    traces = s.disk(mark)
    name = volume_name(mark, "root", "qcow2")
    return traces | s.debt("volume", name, mark, reason="late effect")


@kind("a cached image that disks are overlays of", None)
def _base_in_use(s: Seeder) -> Traces:
    name = base_name(s.deployment, digest("in use"), "raw")
    s.volume(volume_name(nobody(s.deployment), "root", "qcow2"), base=name)
    return s.base(digest("in use"), old=True)


@kind("a cached image that is about to be used", None)
def _young_base(s: Seeder) -> Traces:
    s.image(digest("young base"))
    return s.base(digest("young base"), old=False)


# In the store, and not where it says.


@kind("an instance that runs nowhere", "missing")
def _missing_guest(s: Seeder) -> Traces:
    mark = _living(s)
    return s.claim(mark)


@kind("a volume that lies nowhere", "missing")
def _missing_volume(s: Seeder) -> Traces:
    return s.volume_row(s.mark())[1]


@kind("an image without bytes", "missing")
def _missing_bytes(s: Seeder) -> Traces:
    return s.image(digest("missing"), file=False)


def _living(s: Seeder, *, attempts: int = 1):
    """An instance that runs, as far as rows say."""
    return s.mark(deleted=False, attempts=attempts)


def _stem(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".json")
