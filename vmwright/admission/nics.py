"""Interfaces of a request: which networks and ports they are, and whether their wishes can be."""

from collections.abc import Sequence

import sqlalchemy as sa

from vmwright.admission.caller import Caller
from vmwright.errors import Conflict, InvalidRequest, NotFound
from vmwright.ids import PortId, new_id
from vmwright.persistence.ports import in_use
from vmwright.persistence.records import NetworkRecord
from vmwright.persistence.stores import Stores
from vmwright.request import CreateRequest, NetworkRequest
from vmwright.spec import NicSpec


def nics_of(
    stores: Stores, connection: sa.Connection, request: CreateRequest, caller: Caller
) -> tuple[NicSpec, ...]:
    """Every interface, with a port id of its own."""
    if request.networks == "none":
        return ()
    if request.networks == "auto":
        return _only_network(stores, connection)
    nics = tuple(_nic(stores, connection, wish, caller) for wish in request.networks)
    # By its name and by its id, it is the same network.
    fixed = [(nic.network, nic.ip) for nic in nics if nic.ip]
    given = [nic.port for nic in nics]
    if len(set(fixed)) != len(fixed):
        raise InvalidRequest("networks: the same ip is asked for twice")
    if len(set(given)) != len(given):
        raise InvalidRequest("networks: the same port is asked for twice")
    return nics


def refuse_silent_networks(nics: Sequence[NicSpec], *, config_drive: bool) -> None:
    """Networks of others have no DHCP of ours: a guest hears of its address there by its drive."""
    for nic in nics:
        if nic.kind != "nat" and not config_drive:
            raise InvalidRequest(
                f"network {nic.network_name!r} gives no addresses by DHCP",
                hint="let the guest have a config drive, or use a network of kind nat",
            )


def _only_network(stores: Stores, connection: sa.Connection) -> tuple[NicSpec, ...]:
    known: Sequence[NetworkRecord] = stores.registries.networks.all(connection)
    if not known:
        raise NotFound(
            "there is no network to take",
            hint="make one (vmwright network create), or ask for none",
        )
    if len(known) > 1:
        raise Conflict(
            f"there are {len(known)} networks: which one is meant is not clear",
            hint="name one; see: vmwright network list",
        )
    return tuple(_new_nic(network, NetworkRequest(network=network.id)) for network in known)


def _nic(
    stores: Stores, connection: sa.Connection, wish: NetworkRequest, caller: Caller
) -> NicSpec:
    if wish.port is not None:
        return _given_nic(stores, connection, wish.port, wish.tag, caller)
    network = stores.registries.networks.find(connection, str(wish.network))
    if wish.ip is not None:
        _check_ip(stores, connection, network, wish.ip)
    if wish.mac is not None and stores.ports.is_mac_taken(connection, wish.mac):
        raise InvalidRequest(
            f"MAC address {wish.mac} is in use", hint="leave it out to have one made"
        )
    return _new_nic(network, wish)


def _new_nic(network: NetworkRecord, wish: NetworkRequest) -> NicSpec:
    return _spec(network, PortId(new_id()), ip=wish.ip, mac=wish.mac, tag=wish.tag, given=False)


def _given_nic(
    stores: Stores, connection: sa.Connection, name: str, tag: str | None, caller: Caller
) -> NicSpec:
    port = stores.ports.find(connection, caller.project, name)
    if port.instance_id is not None:
        raise in_use(port)
    network = stores.registries.networks.find(connection, port.network_id)
    return _spec(network, port.id, ip=port.ip, mac=port.mac, tag=tag, given=True)


def _spec(
    network: NetworkRecord,
    port: PortId,
    *,
    ip: str | None,
    mac: str | None,
    tag: str | None,
    given: bool,
) -> NicSpec:
    return NicSpec(
        port=port,
        network=network.id,
        network_name=network.name,
        cidr=network.cidr,
        gateway=network.gateway,
        ip=ip,
        mac=mac,
        given=given,
        kind=network.kind,
        source=network.source,
        pool=network.pool,
        dns=tuple(network.dns),
        tag=tag,
    )


def _check_ip(stores: Stores, connection: sa.Connection, network: NetworkRecord, ip: str) -> None:
    reason = network.addresses.why_not(ip)
    if reason is not None:
        raise InvalidRequest(f"fixed IP {ip}: network {network.name!r} ({network.cidr}) {reason}")
    if stores.ports.is_ip_taken(connection, network.id, network.addresses.offset_of(ip)):
        raise InvalidRequest(f"fixed IP {ip} is in use", hint="leave it out to have one chosen")
