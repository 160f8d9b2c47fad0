"""Judges what is left: rows by SQL and things on hosts, with nothing of the package's own.

Every instance must be one whole guest or no trace; everything on the hosts must belong to one.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.chaos.store import Row, Store
from tests.chaos.world import Guest, Kept, Seen, World

_ENDED = ("done", "undone", "cancelled")
_HELD_UP = ("stuck", "parked")
_LOCAL = ("root", "config")
"""Disks that every guest has."""


@dataclass
class Verdict:
    """What was found. The last three must be empty."""

    active: int = 0
    undone: int = 0
    parked: list[str] = field(default_factory=list)
    leaked: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.leaked or self.lost or self.duplicates)

    def line(self, kills: int) -> str:
        return (
            f"kills={kills} active={self.active} undone={self.undone} parked={len(self.parked)}"
            f" leaked={len(self.leaked)} lost={len(self.lost)} duplicates={len(self.duplicates)}"
        )

    def complaints(self) -> list[str]:
        return [
            f"{kind}: {text}"
            for kind, texts in (
                ("parked", self.parked),
                ("leaked", self.leaked),
                ("lost", self.lost),
                ("duplicate", self.duplicates),
            )
            for text in texts
        ]


def judge(store: Store, world: World, accepted: Iterable[str] = ()) -> Verdict:
    """`accepted` are the operations whose acceptance somebody was told of."""
    return _Judge(store, world.see()).verdict(set(accepted))


class _Judge:
    def __init__(self, store: Store, seen: Seen) -> None:
        self.seen = seen
        self.operations = store.rows("SELECT * FROM vmwright_operations")
        self.instances = {row["id"]: row for row in store.rows("SELECT * FROM vmwright_instances")}
        self.claims = store.rows("SELECT * FROM vmwright_claims")
        self.ports = store.rows("SELECT * FROM vmwright_ports ORDER BY position")
        self.attachments = store.rows("SELECT * FROM vmwright_attachments")
        self.volumes = {row["id"]: row for row in store.rows("SELECT * FROM vmwright_volumes")}
        self.debts = store.rows("SELECT * FROM vmwright_debts")
        self.hosts = {
            row["id"]: _place(row["connection_uri"])
            for row in store.rows("SELECT * FROM vmwright_hosts")
        }
        self.secrets = store.rows(
            "SELECT instance_id FROM vmwright_secrets WHERE ciphertext IS NOT NULL"
        )
        self.flows = {row["uuid"]: row["state"] for row in store.rows("SELECT * FROM flowdetails")}
        self.atoms: dict[str, set[str]] = {}
        for row in store.rows("SELECT parent_uuid, state FROM atomdetails"):
            self.atoms.setdefault(row["parent_uuid"], set()).add(row["state"])
        built = ("active", "stopped")
        self.active = {id for id, row in self.instances.items() if row["vm_state"] in built}
        self.held_up = {o["instance_id"] for o in self.operations if o["state"] in _HELD_UP}
        """What these still hold is seen by whoever looks at the operation."""

    def verdict(self, accepted: set[str]) -> Verdict:
        builds = [known for known in self.operations if known["kind"] == "create"]
        return Verdict(
            active=sum(build["state"] == "done" for build in builds),
            undone=sum(build["state"] in ("undone", "cancelled") for build in builds),
            parked=[
                f"{known['id']} {known['state']}: {known['error']}"
                for known in self.operations
                if known["state"] in _HELD_UP
            ],
            leaked=[*self._leaked_rows(), *self._leaked_things()],
            lost=[*self._lost_operations(accepted), *self._lost_guests(), *self._lost_volumes()],
            duplicates=list(self._duplicates()),
        )

    # What nobody has and somebody holds.

    def _leaked_rows(self) -> Iterator[str]:
        for table, rows in (
            ("claim", self.claims),
            ("attachment", self.attachments),
            ("port", self.ports),
            ("secret", self.secrets),
        ):
            for row in rows:
                instance = row["instance_id"]
                if instance is not None and instance not in self.active | self.held_up:
                    yield f"{table} of instance {instance}, which is {self._state(instance)}"
        for instance in self.active & {row["instance_id"] for row in self.secrets}:
            yield f"secret of active instance {instance}"
        for debt in self.debts:
            yield f"debt: {debt['kind']} {debt['key']} on {self.hosts.get(debt['host_id'])}"
        for volume in self.volumes.values():
            made_for = volume["made_for"]
            owners = self.active | self.held_up
            if volume["deleted_at"] is None and made_for and made_for not in owners:
                yield f"volume {volume['id']} of instance {made_for}, {self._state(made_for)}"

    def _leaked_things(self) -> Iterator[str]:
        yield from self.seen.strays
        for guest in self.seen.guests:
            if guest.uuid not in self.active | self.held_up:
                yield f"guest {guest.uuid} on {guest.host}: {self._state(guest.uuid)}"
        wanted = {(guest.host, name) for guest in self._whole() for name in guest.volumes}
        wanted |= self._located()
        for volume in self.seen.volumes:
            if (volume.host, volume.name) not in wanted and volume.instance not in self.held_up:
                yield f"volume {volume.name} on {volume.host}: {self._state(volume.instance)}"
        held = {
            (self._host_of(port["instance_id"]), port["mac"], port["ip"])
            for port in self.ports
            if port["instance_id"] in self.active | self.held_up
        }
        for known in self.seen.reservations:
            if (known.host, known.mac, known.ip) not in held:
                what = "lease" if known.lease else "reservation"
                yield f"{what} of {known.ip} for {known.mac} on {known.host}"

    def _located(self) -> set[tuple[str, str]]:
        """Where the store says that living volumes are."""
        return {
            (self.hosts[volume["host_id"]], volume["location"])
            for volume in self.volumes.values()
            if volume["deleted_at"] is None and volume["location"]
        }

    # What somebody was promised and has not.

    def _lost_operations(self, accepted: set[str]) -> Iterator[str]:
        for lost in accepted - {known["id"] for known in self.operations}:
            yield f"operation {lost} was accepted and is not in the store"
        for known in self.operations:
            if known["state"] in _HELD_UP:
                continue
            if known["state"] not in _ENDED or known["finished_at"] is None:
                yield f"operation {known['id']} ({known['kind']}) is {known['state']}"
            else:
                yield from self._untrue_flow(known)
        for id, row in self.instances.items():
            busy = id in self.held_up
            if row["vm_state"] not in ("active", "stopped", "error", "deleted") and not busy:
                yield f"instance {id} is {row['vm_state']}"
            elif (row["task_state"] or row["operation_id"]) and not busy:
                yield f"instance {id} is {row['vm_state']} and has {row['task_state']} to do"

    def _untrue_flow(self, operation: Row) -> Iterator[str]:
        """TaskFlow's word must be as good as ours: all of it done, or all of it taken back."""
        state = self.flows[operation["flow_detail_id"]]
        atoms = self.atoms[operation["flow_detail_id"]]
        if operation["state"] == "done":
            true = state == "SUCCESS" and atoms == {"SUCCESS"}
        else:
            true = state == "REVERTED" and atoms <= {"REVERTED", "PENDING", "IGNORE"}
        if not true and not self._is_deleted(operation):
            yield f"operation {operation['id']} is {operation['state']}: flow {state}, {atoms}"

    def _is_deleted(self, operation: Row) -> bool:
        """A delete ends what its stuck or parked predecessor could not."""
        return any(other["after_id"] == operation["id"] for other in self.operations)

    def _lost_guests(self) -> Iterator[str]:
        guests = {guest.uuid: guest for guest in self.seen.guests}
        for instance in self.active - self.held_up:
            guest = guests.get(instance)
            missing = ["guest"] if guest is None else list(self._missing(instance, guest))
            if missing:
                yield f"active instance {instance} has no {', '.join(missing)}"

    def _missing(self, instance: str, guest: Guest) -> Iterator[str]:
        """What a guest lacks of what its instance's rows say."""
        if not guest.running:
            yield "power"
        if guest.host != self._host_of(instance):
            yield f"guest on {self._host_of(instance)}"
        there = {volume.name for volume in self.seen.volumes if volume.host == guest.host}
        yield from (f"volume {name}" for name in guest.volumes if name not in there)
        roles = [Kept(host=guest.host, name=name).role for name in guest.volumes]
        yield from (f"{role} disk" for role in _LOCAL if role not in roles)
        attached = [a["volume_id"] for a in self.attachments if a["instance_id"] == instance]
        locations = [self.volumes[volume]["location"] for volume in attached]
        yield from (f"disk {name}" for name in locations if name not in guest.volumes)
        ports = [port for port in self.ports if port["instance_id"] == instance]
        if [port["mac"] for port in ports] != list(guest.macs):
            yield f"interfaces as its ports are: {guest.macs}"
        reserved = [known for known in self.seen.reservations if not known.lease]
        given = {(known.host, known.mac, known.ip) for known in reserved}
        yield from (p["ip"] for p in ports if (guest.host, p["mac"], p["ip"]) not in given)
        if not any(claim["instance_id"] == instance for claim in self.claims):
            yield "claim"

    def _lost_volumes(self) -> Iterator[str]:
        there = {(volume.host, volume.name) for volume in self.seen.volumes}
        for host, name in self._located() - there:
            yield f"volume {name} is not on {host}"

    # What is there twice.

    def _duplicates(self) -> Iterator[str]:
        living = [row for row in self.instances.values() if row["deleted_at"] is None]
        reserved = [known for known in self.seen.reservations if not known.lease]
        local = [volume for volume in self.seen.volumes if volume.role in _LOCAL]
        counted: Sequence[tuple[str, Iterable[object]]] = (
            ("guest", (guest.uuid for guest in self.seen.guests)),
            ("instance named", (row["name"] for row in living)),
            ("claim of", (claim["instance_id"] for claim in self.claims)),
            ("reservation of", (known.ip for known in reserved)),
            ("reservation for", (known.mac for known in reserved)),
            ("disk", ((volume.instance, volume.role) for volume in local)),
            ("attachment of", (known["volume_id"] for known in self.attachments)),
        )
        for what, keys in counted:
            for key, number in Counter(keys).items():
                if number > 1:
                    yield f"{what} {key}: {number} times"

    def _whole(self) -> Iterator[Guest]:
        return (guest for guest in self.seen.guests if guest.uuid in self.active)

    def _host_of(self, instance: str) -> str | None:
        return self.hosts.get(self.instances[instance]["host_id"])

    def _state(self, instance: str | None) -> str:
        known = self.instances.get(instance or "")
        return str(known["vm_state"]) if known else "unknown to the store"


def _place(uri: str) -> str:
    """The host's name in its world, from its address."""
    return uri.partition("?")[0].rpartition("/")[2] if "?" not in uri else uri
