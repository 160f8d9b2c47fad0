"""Where instances may go: what the store says of hosts, put to the scheduler."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from ipaddress import ip_network
from typing import TYPE_CHECKING, NamedTuple, cast

import sqlalchemy as sa

from vmwright.host_query import checked_query
from vmwright.ids import HostId, InstanceId
from vmwright.persistence.claims import Demand
from vmwright.persistence.host_loads import UNUSED, HostLoad
from vmwright.persistence.records import HostRecord
from vmwright.persistence.stores import Stores
from vmwright.scheduler.decision import Decision
from vmwright.scheduler.values import (
    HostState,
    InstanceGroup,
    Located,
    Policy,
    RequestSpec,
    Resource,
)
from vmwright.settings import SchedulerSettings
from vmwright.spec import Spec

if TYPE_CHECKING:
    from vmwright.scheduler.scheduler import Scheduler

_MIB_PER_GIB = 1024


class _Known(NamedTuple):
    """A host as the store said it last, and what was made of that."""

    host: HostRecord
    load: HostLoad
    state: HostState


class Placement:
    """Decides from what one transaction sees. Changes nothing, and asks no host."""

    def __init__(self, stores: Stores, settings: SchedulerSettings) -> None:
        self._stores = stores
        self._settings = settings
        self._known: dict[HostId, _Known] = {}

    def load(self) -> None:
        """`InvalidRequest` or `PackageMissing` if the configuration names what is not there."""
        _ = self._scheduler

    @cached_property
    def _scheduler(self) -> "Scheduler":
        # Loaded once, by whoever needs it first: most commands do not.
        from vmwright.scheduler.loading import load_scheduler

        return load_scheduler(self._settings)

    def decide(
        self,
        connection: sa.Connection,
        instance: InstanceId,
        spec: Spec,
        excluded: Mapping[HostId, str],
    ) -> tuple[RequestSpec, Decision]:
        """What the instance needs, and every host with its answer to that.

        `excluded` are the hosts of earlier attempts, and why each failed.
        """
        request = replace(self._request(connection, instance, spec), excluded=excluded)
        hosts = self._hosts(connection, [spec])
        return request, self._scheduler.select_hosts(hosts, request)

    def decide_all(
        self, connection: sa.Connection, wishes: Sequence[tuple[InstanceId, Spec]]
    ) -> list[Decision]:
        """A decision for each instance, as if those before it were being built."""
        requests = [self._request(connection, *wish) for wish in wishes]
        hosts = self._hosts(connection, [spec for _, spec in wishes])
        return self._scheduler.place_all(hosts, requests)

    def _hosts(self, connection: sa.Connection, specs: Iterable[Spec]) -> list[HostState]:
        loads = self._stores.host_loads.all(
            connection, failure_window=self._settings.failure_window
        )
        hints = [spec.placement for spec in specs]
        named = {instance for hint in hints for instance in (*hint.same_host, *hint.different_host)}
        places = self._stores.host_loads.hosts_of_instances(connection, named)
        neighbours: defaultdict[HostId, set[InstanceId]] = defaultdict(set)
        for instance, place in places.items():
            neighbours[place].add(instance)
        known, self._known = self._known, {}
        states = []
        for host in self._stores.registries.hosts.current(connection):
            load = loads.get(host.id, UNUSED)
            kept = known.get(host.id)
            if kept is None or kept.host is not host or kept.load != load:
                kept = _Known(host, load, host_state(host, load))
            self._known[host.id] = kept
            near = neighbours.get(host.id)
            state = kept.state
            states.append(replace(state, neighbours=frozenset(near)) if near else state)
        return states

    def _request(self, connection: sa.Connection, instance: InstanceId, spec: Spec) -> RequestSpec:
        need, wish = demand_of(spec), spec.placement
        return RequestSpec(
            instance=instance,
            vcpus=need.vcpus,
            memory_mib=need.memory_mib,
            disk_gib=need.disk_gib,
            zone=wish.zone,
            forced_host=wish.forced_host,
            image_properties=spec.image_properties,
            extra_specs=spec.extra_specs,
            networks=self._networks(connection, spec),
            volumes=self._volumes(connection, spec),
            same_host=frozenset(wish.same_host),
            different_host=frozenset(wish.different_host),
            hints=wish.hints,
            query=checked_query(wish.query) if wish.query else None,
            build_near=ip_network(wish.near) if wish.near else None,
            group=self._group(connection, instance, spec),
        )

    def _networks(self, connection: sa.Connection, spec: Spec) -> tuple[Located, ...]:
        names = {nic.network: nic.network_name for nic in spec.nics}
        bound = self._stores.host_loads.hosts_of_networks(connection, names)
        return tuple(Located(name=names[network], hosts=hosts) for network, hosts in bound.items())

    def _volumes(self, connection: sa.Connection, spec: Spec) -> tuple[Located, ...]:
        existing = [volume.volume for volume in spec.volumes if volume.source == "existing"]
        places = dict(self._stores.host_loads.hosts_of_volumes(connection, existing))
        # What begins as a snapshot is an overlay of it, and lies where that lies.
        snapshots = {v.volume: v.snapshot.host for v in spec.volumes if v.snapshot is not None}
        places = snapshots | places
        return tuple(
            Located(name=volume.name, hosts=frozenset({places[volume.volume]}))
            for volume in spec.volumes
            if volume.volume in places
        )

    def _group(
        self, connection: sa.Connection, instance: InstanceId, spec: Spec
    ) -> InstanceGroup | None:
        wanted, groups = spec.placement.group, self._stores.server_groups
        if wanted is None:
            return None
        group = groups.get(connection, wanted)
        return InstanceGroup(
            id=group.id,
            name=group.name,
            policy=cast("Policy", group.policy),
            max_server_per_host=group.max_server_per_host or 1,
            members=groups.hosts_of_members(connection, group.id, instance),
        )


def host_state(host: HostRecord, load: HostLoad) -> HostState:
    """A host as filters and weighers see it."""
    return HostState(
        id=host.id,
        name=host.name,
        zone=host.zone,
        vcpus=Resource(total=host.vcpus, used=load.vcpus, ratio=host.vcpu_ratio),
        memory_mib=Resource(total=host.memory_mib, used=load.memory_mib, ratio=host.memory_ratio),
        disk_gib=Resource(total=host.disk_gib, used=load.disk_gib, ratio=host.disk_ratio),
        enabled=host.enabled,
        disabled_reason=host.disabled_reason,
        draining=host.draining,
        uncleaned=load.uncleaned,
        hypervisor_type=host.hypervisor_type,
        architecture=host.architecture,
        address=host.address,
        traits=frozenset(host.traits),
        instances=load.instances,
        builds=load.builds,
        recent_failures=load.failures,
        connection_uri=host.connection_uri,
    )


def demand_of(spec: Spec) -> Demand:
    """What the guest needs of a host."""
    disk = spec.root_gib if spec.image is not None else 0
    disk += sum(volume.size_gib for volume in spec.volumes)
    disk += sum(-(-local.size_mib // _MIB_PER_GIB) for local in spec.disks)
    return Demand(vcpus=spec.vcpus, memory_mib=spec.ram_mib, disk_gib=disk)
