"""A network and its DHCP entries as libvirt's XML, and back. Pure."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from vmwright.backends.libvirt.domain_xml import OWNER
from vmwright.backends.libvirt.xml_text import parsed
from vmwright.backends.network import Subnet
from vmwright.ids import DeploymentId, Mark, bridge_name, mark_of_reservation, network_name

_HOSTNAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)
_MAC = re.compile(r"[0-9a-f][02468ace](:[0-9a-f]{2}){5}")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A DHCP entry as libvirt holds it.

    `heirs_of` are other MACs that once leased this address and are gone. dnsmasq gives an
    address that is leased to one MAC of an entry to another MAC of it at once, and otherwise
    not before the lease ends. libvirt has no place for a second MAC, but passes the name on as
    it stands, so that the MACs can follow it.
    """

    mac: str
    ip: str
    name: str
    heirs_of: tuple[str, ...] = ()

    @property
    def mark(self) -> Mark | None:
        return mark_of_reservation(self.name)

    def to_xml(self) -> str:
        name = ",".join([self.name, *self.heirs_of])
        host = ET.Element("host", mac=self.mac, name=name, ip=self.ip)
        return ET.tostring(host, encoding="unicode")


def network_xml(subnet: Subnet, deployment: DeploymentId) -> str:
    """A network with NAT and DHCP; its uuid on the host is its id, and it says whose it is."""
    cidr = IPv4Network(subnet.cidr)
    network = ET.Element("network")
    ET.SubElement(network, "name").text = network_name(subnet.network)
    ET.SubElement(network, "uuid").text = subnet.network
    metadata = ET.SubElement(network, "metadata")
    ET.SubElement(metadata, f"{{{OWNER}}}owner", deployment=deployment)
    ET.SubElement(network, "forward", mode="nat")
    ET.SubElement(network, "bridge", name=bridge_name(subnet.network), stp="off", delay="0")
    if subnet.dns:
        forwarders = ET.SubElement(network, "dns")
        for server in subnet.dns:
            ET.SubElement(forwarders, "forwarder", addr=server)
    ip = ET.SubElement(network, "ip", address=subnet.gateway, netmask=str(cidr.netmask))
    dhcp = ET.SubElement(ip, "dhcp")
    first, last = str(cidr.network_address + 1), str(cidr.broadcast_address - 1)
    ET.SubElement(dhcp, "range", start=first, end=last)
    ET.indent(network)
    return ET.tostring(network, encoding="unicode")


def deployment_of(network: str) -> str | None:
    """The deployment that says that it made the network."""
    owner = parsed(network).find(f"metadata/{{{OWNER}}}owner")
    return None if owner is None else owner.get("deployment")


def cidr_of(network: str) -> tuple[str, str] | None:
    """The subnet and the gateway of a network; None if it has no IPv4 address."""
    for ip in parsed(network).iterfind("ip"):
        gateway, mask = ip.get("address"), ip.get("netmask") or ip.get("prefix")
        if gateway and mask and ip.get("family", "ipv4") == "ipv4":
            return str(IPv4Network(f"{gateway}/{mask}", strict=False)), gateway
    return None


def entries_of(network: str) -> Sequence[Entry]:
    """Every DHCP entry that gives an address to a MAC, ours and foreign."""
    hosts = parsed(network).iterfind("ip/dhcp/host")
    return [_entry(host) for host in hosts if host.get("mac") and host.get("ip")]


def is_network(cidr: str, gateway: str) -> bool:
    """Whether there is room for a guest besides the gateway, which lies inside."""
    return is_guest_address(gateway, cidr, "")


def is_guest_address(ip: str, cidr: str, gateway: str) -> bool:
    """Whether a machine of this subnet, other than the gateway, may have the address."""
    try:
        subnet, address = IPv4Network(cidr), IPv4Address(ip)
    except ValueError:
        return False
    edges = (subnet.network_address, subnet.broadcast_address)
    return address in subnet and address not in edges and ip != gateway


def is_mac(text: str) -> bool:
    """Whether this is the address of one interface, in lower case."""
    return _MAC.fullmatch(text) is not None


def is_hostname(text: str) -> bool:
    """Whether this is one DNS label."""
    return _HOSTNAME.fullmatch(text) is not None


def _entry(host: ET.Element) -> Entry:
    name, *heirs_of = host.get("name", "").split(",")
    return Entry(
        mac=host.get("mac", "").lower(),
        ip=host.get("ip", ""),
        name=name,
        heirs_of=tuple(heirs_of),
    )
