"""Where an instance may be: zone, host and hints of a request, with their names resolved."""

import ipaddress

from vmwright.admission.catalogue import Catalogue
from vmwright.errors import InvalidRequest, NotFound, QuotaExceeded
from vmwright.host_query import checked_query
from vmwright.ids import HostId, InstanceId, ServerGroupId
from vmwright.persistence.records import HostRecord, ServerGroup
from vmwright.request import CreateRequest, SchedulerHints
from vmwright.spec import PlacementSpec

UNLIMITED = -1


def placement_of(catalogue: Catalogue, request: CreateRequest) -> PlacementSpec:
    """`NotFound` for what does not exist, `InvalidRequest` for what contradicts itself."""
    hints = request.scheduler_hints
    # The configured one is that of instances that ask for none; None: any.
    default = catalogue.settings.scheduler.default_schedule_zone
    zone, host = _zone_and_host(catalogue, request.availability_zone or default)
    group = _group(catalogue, hints)
    return PlacementSpec(
        zone=zone,
        forced_host=host,
        group=ServerGroupId(group.id) if group else None,
        same_host=_instances(catalogue, hints.same_host),
        different_host=_instances(catalogue, hints.different_host),
        query=_query(hints),
        near=_near(hints),
        hints=hints.others,
    )


def refuse_full_group(catalogue: Catalogue, placement: PlacementSpec, count: int) -> None:
    """See that the group has room for so many more members; who is to add them must hold it."""
    most = catalogue.limits.server_group_members
    if placement.group is None or most == UNLIMITED:
        return
    groups = catalogue.stores.server_groups
    members = len(groups.members(catalogue.connection, placement.group))
    if members + count > most:
        raise QuotaExceeded(
            f"Quota exceeded, too many servers in group: {count} wanted, {members} of {most} used",
            hint="use another server group, or delete instances of this one",
        )


def _zone_and_host(catalogue: Catalogue, text: str | None) -> tuple[str | None, HostId | None]:
    """``ZONE``, ``ZONE:HOST`` or ``ZONE:HOST:NODE``: a libvirt host is its own only node."""
    if text is None:
        return None, None
    zone, _, rest = text.partition(":")
    host, _, node = rest.partition(":")
    name = host or node
    registry = catalogue.stores.registries.hosts
    hosts = registry.all(catalogue.connection)
    if not name:
        # Where there is none yet, the configured host is registered with the first build.
        if hosts and not any(known.zone == zone and known.enabled for known in hosts):
            raise InvalidRequest(
                f"The requested availability zone is not available: {zone!r}",
                hint="see: vmwright availability zone list",
            )
        return zone, None
    found = registry.find(catalogue.connection, name)
    if node and node not in (found.name, found.id):
        raise NotFound(f"host {found.name!r} has no node {node!r}", hint="leave the node out")
    _refuse_other_zone(found, zone)
    return found.zone, found.id


def _refuse_other_zone(host: HostRecord, zone: str) -> None:
    if zone and host.zone != zone:
        raise InvalidRequest(
            f"host {host.name!r} is in zone {host.zone!r}, not in {zone!r}",
            hint="see: vmwright host list",
        )


def _group(catalogue: Catalogue, hints: SchedulerHints) -> ServerGroup | None:
    if hints.group is None:
        return None
    groups, project = catalogue.stores.server_groups, catalogue.caller.project
    return groups.find(catalogue.connection, project, hints.group)


def _instances(catalogue: Catalogue, names: tuple[str, ...]) -> tuple[InstanceId, ...]:
    find, sees = catalogue.stores.instances.find, catalogue.caller.sees
    return tuple(find(catalogue.connection, name, project=sees).id for name in names)


def _query(hints: SchedulerHints) -> str | None:
    if hints.query is None:
        return None
    try:
        checked_query(hints.query)
    except ValueError as error:
        raise InvalidRequest(f"scheduler_hints.query: {error}") from None
    return hints.query


def _near(hints: SchedulerHints) -> str | None:
    if hints.build_near_host_ip is None:
        return None
    near = ipaddress.IPv4Network(f"{hints.build_near_host_ip}{hints.cidr}", strict=False)
    return str(near)
