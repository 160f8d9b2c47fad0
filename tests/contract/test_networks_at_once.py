"""Controllers that make networks on one host at once get the networks that they asked for."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.support.libvirt_backends import opened
from tests.support.libvirt_place import LibvirtPlace
from tests.support.marks import Marks
from vmwright.backends.host import Host
from vmwright.backends.network import Reservation, Subnet
from vmwright.ids import NetworkId, bridge_name, new_id
from vmwright.waiting import Wait

pytestmark = pytest.mark.libvirt

CONTROLLERS = 3
NETWORKS = 6


@pytest.fixture
def controllers(libvirt_place: LibvirtPlace) -> Iterator[list[Host]]:
    """The one host, as controllers see it that share nothing but their deployment."""
    uri, deployment = libvirt_place.backend.default_uri, libvirt_place.backend.deployment
    with ExitStack() as stack:
        yield [stack.enter_context(opened(uri, deployment)).host(uri) for _ in range(CONTROLLERS)]


def test_networks_and_addresses_made_at_once_are_those_asked_for(
    libvirt_place: LibvirtPlace, controllers: list[Host], wait: Wait
) -> None:
    """Every controller makes every network, and reserves an address of its own on each."""
    marks = Marks(libvirt_place.backend.deployment)
    subnets = [
        Subnet(network=NetworkId(new_id()), cidr=f"10.72.{n}.0/24", gateway=f"10.72.{n}.1")
        for n in range(NETWORKS)
    ]

    def make(number: int) -> None:
        for subnet in subnets if number % 2 else reversed(subnets):
            controllers[number].network.ensure_network(subnet, wait)
            controllers[number].network.ensure_reservation(wanted(subnet, number), marks.ours, wait)

    def wanted(subnet: Subnet, number: int) -> Reservation:
        third = subnet.cidr.split(".")[2]
        mac, ip = f"52:54:00:72:{int(third):02x}:{number:02x}", f"10.72.{third}.{10 + number}"
        return Reservation(network=subnet.network, mac=mac, ip=ip, hostname=f"vm{number}")

    with ThreadPoolExecutor(CONTROLLERS) as pool:
        list(pool.map(make, range(CONTROLLERS)))

    for subnet in subnets:
        made = libvirt_place.connection.networkLookupByUUIDString(subnet.network)
        assert made.isActive()
        assert made.bridgeName() == bridge_name(subnet.network)
        known = libvirt_place.host.network.reservations(subnet.network, wait)
        assert {(one.mac, one.ip) for one in known} == {
            (wanted(subnet, n).mac, wanted(subnet, n).ip) for n in range(CONTROLLERS)
        }
