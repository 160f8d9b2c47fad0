"""Where a host is, and what is there."""

from ipaddress import ip_address

from vmwright.scheduler.values import HostState, RequestSpec


class Zone:
    """Lets pass the zone that was asked for."""

    name = "zone"

    def why_not(self, host: HostState, request: RequestSpec) -> str | None:
        if request.zone in (None, host.zone):
            return None
        return f"zone is {host.zone}, not {request.zone}"


class NetworkLocation:
    """Lets pass hosts that have every network of the request."""

    name = "network_location"

    def why_not(self, host: HostState, request: RequestSpec) -> str | None:
        for network in request.networks:
            if host.id not in network.hosts:
                return f"network {network.name!r} is not there"
        return None


class VolumeLocation:
    """Lets pass the host that the request's volumes lie on."""

    name = "volume_location"

    def why_not(self, host: HostState, request: RequestSpec) -> str | None:
        for volume in request.volumes:
            if host.id not in volume.hosts:
                return f"volume {volume.name!r} is on another host"
        return None


class NearAddress:
    """Lets pass hosts with an address in the subnet of the hints build_near_host_ip and cidr."""

    name = "near_address"

    def why_not(self, host: HostState, request: RequestSpec) -> str | None:
        if request.build_near is None:
            return None
        if host.address is None:
            return f"its address is not known, and must be in {request.build_near}"
        if ip_address(host.address) not in request.build_near:
            return f"its address {host.address} is not in {request.build_near}"
        return None
