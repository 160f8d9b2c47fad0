"""Interfaces of a request: which networks and ports they are, and whether their wishes can be."""

from collections.abc import Sequence

from vmwright.admission.catalogue import Catalogue
from vmwright.errors import Conflict, InvalidRequest, NotFound
from vmwright.ids import PortId, new_id
from vmwright.persistence.ports import in_use
from vmwright.persistence.records import NetworkRecord
from vmwright.request import CreateRequest, NetworkRequest
from vmwright.spec import NicSpec


def nics_of(catalogue: Catalogue, request: CreateRequest) -> tuple[NicSpec, ...]:
    """Every interface, with a port id of its own."""
    if request.networks == "none":
        return ()
    if request.networks == "auto":
        return _only_network(catalogue)
    nics = tuple(_nic(catalogue, wish) for wish in request.networks)
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


def _only_network(catalogue: Catalogue) -> tuple[NicSpec, ...]:
    networks = catalogue.stores.registries.networks
    known: Sequence[NetworkRecord] = networks.all(catalogue.connection)
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


def _nic(catalogue: Catalogue, wish: NetworkRequest) -> NicSpec:
    if wish.port is not None:
        return _given_nic(catalogue, wish.port, wish.tag)
    network = catalogue.network(str(wish.network))
    if wish.ip is not None:
        _check_ip(catalogue, network, wish.ip)
    ports = catalogue.stores.ports
    if wish.mac is not None and ports.is_mac_taken(catalogue.connection, wish.mac):
        raise InvalidRequest(
            f"MAC address {wish.mac} is in use", hint="leave it out to have one made"
        )
    return _new_nic(network, wish)


def _new_nic(network: NetworkRecord, wish: NetworkRequest) -> NicSpec:
    return _spec(network, PortId(new_id()), ip=wish.ip, mac=wish.mac, tag=wish.tag, given=False)


def _given_nic(catalogue: Catalogue, name: str, tag: str | None) -> NicSpec:
    project = catalogue.caller.project
    port = catalogue.stores.ports.find(catalogue.connection, project, name)
    if port.instance_id is not None:
        raise in_use(port)
    network = catalogue.network(port.network_id)
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


def _check_ip(catalogue: Catalogue, network: NetworkRecord, ip: str) -> None:
    reason = network.addresses.why_not(ip)
    if reason is not None:
        raise InvalidRequest(f"fixed IP {ip}: network {network.name!r} ({network.cidr}) {reason}")
    offset = network.addresses.offset_of(ip)
    if catalogue.stores.ports.is_ip_taken(catalogue.connection, network.id, offset):
        raise InvalidRequest(f"fixed IP {ip} is in use", hint="leave it out to have one chosen")
