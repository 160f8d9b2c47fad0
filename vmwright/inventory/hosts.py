"""Hosts: registered with what they say of themselves, each hypervisor once."""

import logging
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from vmwright.backends.circuit import Board, Condition
from vmwright.backends.host import Backend, Host
from vmwright.backends.hypervisor import Domain, HostFacts
from vmwright.errors import (
    Conflict,
    DeadlinePassed,
    HostFault,
    InvalidRequest,
    Refused,
    Unavailable,
)
from vmwright.ids import HostId, NetworkId, new_id
from vmwright.inventory.register import Register, added
from vmwright.inventory.wishes import HostChange, NewHost
from vmwright.persistence.claims import Demand
from vmwright.persistence.records import HostRecord
from vmwright.waiting import Wait

LOG = logging.getLogger(__name__)

_LEAVING = "it is being deleted"
"""Why a host is disabled that takes no more claims because it is about to be forgotten."""
_FRESH = 10.0
"""Seconds for which a host that has answered is not asked again before something is built."""
_POLL = 0.2
"""Seconds between two looks whether a host is empty."""


@dataclass(frozen=True, kw_only=True)
class HostUse:
    """What a host holds: the sum of all claims on it, and how many living instances; and whether
    it can be asked."""

    claimed: Demand
    instances: int
    condition: Condition = field(default_factory=Condition)
    """What the controllers of this machine know of the host: whether it answers them."""


@dataclass(frozen=True, kw_only=True)
class Zone:
    """The hosts that say that they are in one place. A zone is there as long as one says so."""

    name: str
    available: bool
    """Whether one of its hosts takes new instances."""
    hosts: tuple[str, ...]


class Hosts:
    """The hosts of a deployment. One is asked for its facts for `patience` seconds."""

    def __init__(
        self,
        register: Register,
        backend: Backend,
        patience: float,
        default_zone: str,
        board: Board,
    ) -> None:
        self._register = register
        self._stores = register.stores
        self._rows = register.stores.registries.hosts
        self._backend = backend
        self._patience = patience
        self._default_zone = default_zone
        self._board = board
        self._heard = -math.inf

    def create(self, wish: NewHost) -> HostRecord:
        self._register.rights.operate()
        self._register.refuse_taken(self._rows, name=wish.name)
        self._register.refuse_taken(self._rows, connection_uri=wish.uri)
        return self._registered(wish, self._facts(wish.uri))

    def ensure_default(self) -> HostRecord:
        uri = self._backend.default_uri
        known = self._at(uri)
        if known is not None:
            return known
        facts = self._facts(uri)
        try:
            return self._registered(self._default(uri, facts), facts)
        except Conflict:
            known = self._at(uri)
            if known is None:
                raise
            return known  # another process was faster

    def has_one(self, connection: sa.Connection, *, heard_of: bool) -> bool:
        # A host that goes away within the time fails the build, which is then taken back: no more
        # than what happens where it goes away a moment after it was asked.
        if heard_of and time.monotonic() > self._heard + _FRESH:
            return False
        return self._rows.has(connection, "connection_uri", self._backend.default_uri)

    def ensure_some_answer(self, patience: float) -> None:
        errors = []
        for host in self._register.all(self._rows):
            try:
                self._backend.host(host.connection_uri).hypervisor.facts(Wait(patience))
            except Unavailable as error:
                errors.append(error)
            else:
                self._heard = time.monotonic()
                return
        if errors:
            raise errors[0]

    def set(self, name_or_id: str, wish: HostChange) -> HostRecord:
        self._register.rights.operate()
        with self._register.turn() as connection:
            host = self._rows.find(connection, name_or_id)
            self._rows.change(connection, host.id, **wish.values_for(host.traits))
            return self._rows.find(connection, host.id)

    def drain(self, name_or_id: str) -> HostRecord:
        self._register.rights.operate()
        with self._register.turn() as connection:
            host = self._rows.find(connection, name_or_id)
            self._rows.change(connection, host.id, draining=True)
            return self._rows.find(connection, host.id)

    def use(self, name_or_id: str) -> HostUse:
        with self._stores.database.read() as connection:
            host = self._rows.find(connection, name_or_id)
            return HostUse(
                claimed=self._stores.claims.used(connection, host.id),
                instances=self._stores.instances.on_host(connection, host.id),
                condition=self._board.condition(host.connection_uri),
            )

    def all_in_use(self) -> Sequence[tuple[HostRecord, HostUse]]:
        with self._stores.database.read() as connection:
            hosts = self._rows.all(connection)
            claimed = self._stores.claims.used_of_all(connection)
            living = self._stores.lists.instances_on_hosts(connection)
        return [
            (
                host,
                HostUse(
                    claimed=claimed.get(host.id, Demand(vcpus=0, memory_mib=0, disk_gib=0)),
                    instances=living.get(host.id, 0),
                    condition=self._board.condition(host.connection_uri),
                ),
            )
            for host in hosts
        ]

    def await_empty(self, name_or_id: str, timeout: float | None) -> None:
        wait = None if timeout is None else Wait(timeout)
        pause = threading.Event()
        while number := self.use(name_or_id).instances:
            if wait is not None and not wait.remaining():
                raise DeadlinePassed(
                    f"{number} instances still live on host {name_or_id!r}",
                    hint="it takes no new ones; delete them, or wait longer",
                )
            pause.wait(_POLL)

    def zones(self) -> Sequence[Zone]:
        hosts: dict[str, list[HostRecord]] = {}
        for host in self._register.all(self._rows):
            hosts.setdefault(host.zone, []).append(host)
        return [
            Zone(
                name=name,
                available=any(host.enabled and not host.draining for host in inside),
                hosts=tuple(host.name for host in inside),
            )
            for name, inside in sorted(hosts.items())
        ]

    def delete(self, name_or_id: str) -> HostRecord:
        self._register.rights.operate()
        host = self._closed(name_or_id)
        try:
            self._clear(host)
            self._forget(host)
        except BaseException:
            self._open_again(host)
            raise
        return host

    def _closed(self, name_or_id: str) -> HostRecord:
        """The host as it was, from now on without new claims: a build in progress could otherwise
        find its network gone."""
        with self._register.turn() as connection:
            host = self._rows.find(connection, name_or_id)
            self._refuse_used(connection, host)
            self._rows.change(connection, host.id, enabled=False, disabled_reason=_LEAVING)
        return host

    def _clear(self, host: HostRecord) -> None:
        """Take from the host what is ours and holds nothing: our networks, and our storage.

        `Conflict` if something is there that the books do not show. A host that says nothing keeps
        what it has.
        """
        place = self._backend.host(host.connection_uri)
        wait = Wait(self._patience)
        try:
            domains, networks = place.hypervisor.domains(wait), place.network.ours(wait)
        except (Unavailable, HostFault, InvalidRequest) as error:
            LOG.warning("host %s keeps what it may have of ours: %s", host.name, error)
            return
        self._refuse_unknown(host, domains, networks)
        try:
            for network in networks:
                place.network.ensure_no_network(network, Wait(self._patience))
        except (Refused, Unavailable, HostFault) as error:
            raise _still_holds(host, error.message) from error
        self._forget_pool(host, place)

    def _refuse_unknown(
        self, host: HostRecord, domains: Sequence[Domain], networks: Sequence[NetworkId]
    ) -> None:
        """What a store that was restored has forgotten may be in use."""
        for domain in domains:
            if domain.mark is not None and domain.mark.deployment == self._register.deployment:
                raise _still_holds(host, f"guest {domain.uuid}")
        known = {network.id for network in self._register.all(self._stores.registries.networks)}
        for network in networks:
            if network not in known:
                raise _still_holds(host, f"network {network}")

    def _forget_pool(self, host: HostRecord, place: Host) -> None:
        try:
            place.volumes.ensure_no_pool(Wait(self._patience))
        except Refused as error:
            raise _still_holds(host, error.message) from error
        except (Unavailable, HostFault) as error:
            LOG.warning("host %s keeps our empty storage: %s", host.name, error)

    def _forget(self, host: HostRecord) -> None:
        with self._register.turn() as connection:
            self._rows.find(connection, host.id)
            # It takes the row: a claim is there already, or finds no host to claim.
            self._rows.change(connection, host.id, enabled=False)
            self._refuse_used(connection, host)
            self._stores.snapshots.forget_buried(connection, host.id)
            self._rows.remove(connection, host.id)

    def _open_again(self, host: HostRecord) -> None:
        """As it was before it was to go, unless somebody has said otherwise since."""
        was = {"enabled": host.enabled, "disabled_reason": host.disabled_reason}
        if host.disabled_reason == _LEAVING:  # by somebody who died, or who has failed by now
            was = {"enabled": True, "disabled_reason": None}
        with self._register.turn() as connection:
            known = self._rows.get(connection, host.id)
            if known is not None and known.disabled_reason == _LEAVING:
                self._rows.change(connection, host.id, **was)

    def _facts(self, uri: str) -> HostFacts:
        return self._backend.host(uri).hypervisor.facts(Wait(self._patience))

    def _at(self, uri: str) -> HostRecord | None:
        with self._stores.database.read() as connection:
            found = self._rows.where(connection, connection_uri=uri)
        return found[0] if found else None

    def _default(self, uri: str, facts: HostFacts) -> NewHost:
        with self._stores.database.read() as connection:
            taken = self._rows.get(connection, facts.name) is not None
        name = f"{facts.name}-{facts.uuid}" if taken else facts.name
        try:
            return NewHost.parse(name=name, uri=uri)
        except InvalidRequest:  # what a host calls itself need not be a name to us
            return NewHost.parse(name=facts.uuid, uri=uri)

    def _registered(self, wish: NewHost, facts: HostFacts) -> HostRecord:
        host = HostRecord(
            id=HostId(new_id()),
            hypervisor_uuid=facts.uuid,
            name=wish.name,
            connection_uri=wish.uri,
            vcpus=wish.vcpus or facts.vcpus,
            memory_mib=wish.memory_mib or facts.memory_mib,
            disk_gib=wish.disk_gib or facts.disk_gib,
            vcpu_ratio=wish.vcpu_ratio,
            memory_ratio=wish.memory_ratio,
            disk_ratio=wish.disk_ratio,
            zone=wish.zone or self._default_zone,
            enabled=True,
            traits=sorted(set(wish.traits)),
            address=wish.address,
            hypervisor_type=facts.virt_type,
            architecture=facts.architecture,
        )
        with self._register.turn() as connection:
            for known in self._rows.where(connection, hypervisor_uuid=facts.uuid):
                raise Conflict(
                    f"the hypervisor at {wish.uri} is registered as host {known.name!r} already: "
                    f"both say that they are {facts.uuid}",
                    hint="if they are two machines, give each its own host_uuid in libvirtd.conf",
                )
            return added(connection, self._rows, host)

    def _refuse_used(self, connection: sa.Connection, host: HostRecord) -> None:
        # Without its last host a network would be on every one.
        for network in self._stores.registries.networks.bound_to(connection, host.id):
            raise Conflict(
                f"host {host.name!r} is in use: network {network.name!r} is bound to it",
                hint="bind that to others, or to none: vmwright network set",
            )
        held = {
            "claims": self._stores.claims.used(connection, host.id).vcpus,
            "instances": self._stores.instances.on_host(connection, host.id),
            "volumes": self._stores.volumes.on_host(connection, host.id),
            "snapshots": self._stores.snapshots.on_host(connection, host.id),
            "debts": len(self._stores.debts.of_host(connection, host.id)),
        }
        for what, count in held.items():
            if count:
                raise Conflict(
                    f"host {host.name!r} is in use: it has {what}",
                    hint="delete what is there first; debts are paid once the host answers",
                )


def _still_holds(host: HostRecord, what: str) -> Conflict:
    return Conflict(
        f"host {host.name!r} holds what this store does not know: {what}",
        hint="see: vmwright audit",
    )
