"""Guests on bridges and networks that a host has without us: they are used, and left alone."""

from typing import TYPE_CHECKING

import pytest

from tests.support.marks import Marks, whose_create, whose_delete
from tests.support.places import Place
from tests.support.things import IP, MAC, OTHER_MAC, blank, disk_of, guest
from vmwright.backends.host import Host
from vmwright.backends.hypervisor import Nic
from vmwright.errors import HostFault, Refused
from vmwright.ids import NetworkId, new_id
from vmwright.states import PowerState
from vmwright.waiting import Wait

if TYPE_CHECKING:
    from tests.support.libvirt_place import LibvirtPlace

ON_BRIDGE = Nic(network=NetworkId(new_id()), mac=MAC, kind="bridge", source="br0")
ON_NETWORK = Nic(network=NetworkId(new_id()), mac=OTHER_MAC, kind="libvirt", source="default")
each_kind = pytest.mark.parametrize(
    "nic", [pytest.param(nic, id=nic.kind) for nic in (ON_BRIDGE, ON_NETWORK)]
)


def define(host: Host, marks: Marks, wait: Wait, *nics: Nic) -> None:
    volume = blank(marks.ours)
    host.volumes.ensure_volume(volume, wait)
    wanted = guest(marks.ours.instance, disk_of(volume), nics=nics)
    host.hypervisor.ensure_domain(wanted, marks.ours, wait)


def test_guest_runs_on_what_is_there_and_leaves_it_as_it_was(
    place: Place, host: Host, marks: Marks, wait: Wait
) -> None:
    place.put_bridge("br0")
    place.put_libvirt_network("default")
    before = place.libvirt_network("default"), host.network.networks(wait)

    define(host, marks, wait, ON_BRIDGE, ON_NETWORK)
    state = host.hypervisor.ensure_running(marks.ours.instance, marks.ours, wait)

    assert state is PowerState.RUNNING
    assert host.network.networks(wait) == before[1]
    host.hypervisor.ensure_no_domain(marks.ours.instance, whose_create(marks.ours), wait)
    assert (place.libvirt_network("default"), host.network.networks(wait)) == before


@each_kind
def test_host_that_lacks_what_a_guest_is_plugged_into_is_at_fault(
    host: Host, marks: Marks, nic: Nic, wait: Wait
) -> None:
    elsewhere = Nic(network=nic.network, mac=nic.mac, kind=nic.kind, source="br9")
    define(host, marks, wait, elsewhere)
    with pytest.raises(HostFault, match="br9"):
        host.hypervisor.ensure_running(marks.ours.instance, marks.ours, wait)
    found = host.hypervisor.find_domain(marks.ours.instance, wait)
    assert found
    assert found.power_state is PowerState.SHUTDOWN


@pytest.mark.libvirt
def test_network_of_others_that_is_switched_off_is_not_switched_on(
    libvirt_place: "LibvirtPlace", wait: Wait
) -> None:
    host, marks = libvirt_place.host, Marks(libvirt_place.backend.deployment)
    libvirt_place.put_libvirt_network("default")
    network = libvirt_place.connection.networkLookupByName("default")
    network.destroy()
    define(host, marks, wait, ON_NETWORK)
    with pytest.raises(HostFault, match="network 'default' is not active") as fault:
        host.hypervisor.ensure_running(marks.ours.instance, marks.ours, wait)
    assert fault.value.hint
    assert not network.isActive()


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("nat", "br0"),
        *(("bridge", name) for name in (None, "", "br 0", "br0/..", "a" * 16, "..", "br0'/>", "ü")),
        *(("libvirt", name) for name in (None, "", "a b", "a/b", "a" * 65, "x'/>", "\n")),
    ],
)
def test_what_no_network_is_called_is_refused(
    host: Host, marks: Marks, kind: str, source: str | None, wait: Wait
) -> None:
    nic = Nic(network=NetworkId(new_id()), mac=MAC, kind=kind, source=source)  # type: ignore[arg-type]
    with pytest.raises(Refused):
        define(host, marks, wait, nic)
    assert not host.hypervisor.domains(wait)


@each_kind
def test_nothing_is_reserved_on_a_network_of_others(
    place: Place, host: Host, marks: Marks, nic: Nic, wait: Wait
) -> None:
    """What an undo may ask for is fine, and finds nothing."""
    place.put_libvirt_network("default")
    before = place.libvirt_network("default")
    whose = whose_delete(marks.ours)
    host.network.ensure_no_reservation(nic.network, nic.mac, IP, whose, wait)
    host.network.ensure_no_network(nic.network, wait)
    assert not host.network.reservations(nic.network, wait)
    assert place.libvirt_network("default") == before
