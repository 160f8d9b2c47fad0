"""The promises that every `Network` keeps."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from tests.support.marks import Marks, whose_create, whose_delete
from tests.support.places import Place
from tests.support.things import (
    CIDR,
    IP,
    MAC,
    OTHER_IP,
    OTHER_MAC,
    blank,
    disk_of,
    guest,
    reservation,
    subnet,
)
from vmwright.backends.host import Host
from vmwright.backends.hypervisor import Nic
from vmwright.backends.network import Reserved, Subnet
from vmwright.errors import HostFault, Refused, Unavailable
from vmwright.ids import Mark, NetworkId, Whose, new_id
from vmwright.waiting import Wait


@pytest.fixture
def network(host: Host, wait: Wait) -> NetworkId:
    wanted = subnet()
    host.network.ensure_network(wanted, wait)
    return wanted.network


def test_network_can_be_asked_for_twice(host: Host, wait: Wait) -> None:
    wanted = subnet()
    for _ in range(2):
        host.network.ensure_network(wanted, wait)
        assert host.network.networks(wait) == [wanted.network]


def test_network_may_name_the_servers_that_answer_its_guests(host: Host, wait: Wait) -> None:
    wanted = replace(subnet(), dns=("192.0.2.53", "192.0.2.54"))
    for _ in range(2):
        host.network.ensure_network(wanted, wait)
        assert host.network.networks(wait) == [wanted.network]


def test_networks_of_others_are_listed(place: Place, host: Host, wait: Wait) -> None:
    place.put_network(stranger := new_id(), CIDR)
    assert stranger in host.network.networks(wait)


def test_subnet_that_is_routed_elsewhere_is_the_fault_of_the_host(
    host: Host, network: NetworkId, wait: Wait
) -> None:
    with pytest.raises(HostFault):
        host.network.ensure_network(subnet(), wait)
    assert host.network.networks(wait) == [network]


def test_network_is_removed(host: Host, network: NetworkId, wait: Wait) -> None:
    for _ in range(2):
        host.network.ensure_no_network(network, wait)
        assert not host.network.networks(wait)


def test_removed_network_leaves_its_subnet_free(host: Host, network: NetworkId, wait: Wait) -> None:
    host.network.ensure_no_network(network, wait)
    host.network.ensure_network(subnet(), wait)


def test_removing_a_network_leaves_the_others(host: Host, network: NetworkId, wait: Wait) -> None:
    other = subnet("10.61.8.0/24")
    host.network.ensure_network(other, wait)
    host.network.ensure_no_network(other.network, wait)
    assert host.network.networks(wait) == [network]


def test_unknown_network_has_no_reservations(host: Host, wait: Wait) -> None:
    assert not host.network.reservations(NetworkId(new_id()), wait)


def test_reservation_carries_its_mark(
    host: Host, network: NetworkId, marks: Marks, wait: Wait
) -> None:
    host.network.ensure_reservation(reservation(network), marks.ours, wait)
    expected = [Reserved(mac=MAC, ip=IP, mark=marks.ours)]
    assert list(host.network.reservations(network, wait)) == expected


def test_reservation_can_be_asked_for_twice(
    host: Host, network: NetworkId, marks: Marks, wait: Wait
) -> None:
    host.network.ensure_reservation(reservation(network), marks.ours, wait)
    once = host.network.reservations(network, wait)
    host.network.ensure_reservation(reservation(network), marks.ours, wait)
    assert host.network.reservations(network, wait) == once


def test_reservations_are_made_side_by_side(
    host: Host, network: NetworkId, marks: Marks, wait: Wait
) -> None:
    wanted = [
        reservation(network, f"52:54:00:61:08:{number:02x}", f"10.61.7.{100 + number}")
        for number in range(6)
    ]
    with ThreadPoolExecutor() as threads:
        list(
            threads.map(lambda one: host.network.ensure_reservation(one, marks.ours, wait), wanted)
        )
    found = {(known.mac, known.ip) for known in host.network.reservations(network, wait)}
    assert found == {(one.mac, one.ip) for one in wanted}


def test_networks_do_not_share_reservations(
    host: Host, network: NetworkId, marks: Marks, wait: Wait
) -> None:
    other = subnet("10.61.8.0/24")
    host.network.ensure_network(other, wait)
    host.network.ensure_reservation(reservation(network), marks.ours, wait)
    same_mac = reservation(other.network, ip="10.61.8.10")
    host.network.ensure_reservation(same_mac, marks.other_instance, wait)
    assert [known.ip for known in host.network.reservations(network, wait)] == [IP]


def test_reservation_on_a_missing_network_is_refused(host: Host, marks: Marks, wait: Wait) -> None:
    missing = NetworkId(new_id())
    with pytest.raises(Refused):
        host.network.ensure_reservation(reservation(missing), marks.ours, wait)
    assert not host.network.networks(wait)


@pytest.mark.parametrize(
    "foreign",
    [
        pytest.param(lambda marks: marks.next_attempt, id="next-attempt"),
        pytest.param(lambda marks: marks.other_operation, id="other-operation"),
        pytest.param(lambda marks: marks.other_instance, id="other-instance"),
        pytest.param(lambda marks: marks.other_deployment, id="other-deployment"),
    ],
)
@pytest.mark.parametrize(
    ("mac", "ip"),
    [
        pytest.param(MAC, IP, id="same-pair"),
        pytest.param(MAC, OTHER_IP, id="same-mac"),
        pytest.param(OTHER_MAC, IP, id="same-address"),
    ],
)
def test_what_others_reserved_is_refused(
    host: Host,
    network: NetworkId,
    marks: Marks,
    foreign: Callable[[Marks], Mark],
    mac: str,
    ip: str,
    wait: Wait,
) -> None:
    host.network.ensure_reservation(reservation(network), marks.ours, wait)
    before = host.network.reservations(network, wait)

    with pytest.raises(Refused):
        host.network.ensure_reservation(reservation(network, mac, ip), foreign(marks), wait)

    assert host.network.reservations(network, wait) == before


@pytest.mark.parametrize(("mac", "ip"), [(MAC, OTHER_IP), (OTHER_MAC, IP)])
def test_another_pair_of_our_own_is_refused(
    host: Host, network: NetworkId, marks: Marks, mac: str, ip: str, wait: Wait
) -> None:
    host.network.ensure_reservation(reservation(network), marks.ours, wait)
    with pytest.raises(Refused):
        host.network.ensure_reservation(reservation(network, mac, ip), marks.ours, wait)


@pytest.mark.parametrize(("mac", "ip"), [(MAC, IP), (MAC, OTHER_IP), (OTHER_MAC, IP)])
def test_what_was_reserved_by_hand_is_refused(
    place: Place, host: Host, network: NetworkId, marks: Marks, mac: str, ip: str, wait: Wait
) -> None:
    place.put_reservation(network, MAC, IP)

    with pytest.raises(Refused):
        host.network.ensure_reservation(reservation(network, mac, ip), marks.ours, wait)

    expected = [Reserved(mac=MAC, ip=IP, mark=None)]
    assert list(host.network.reservations(network, wait)) == expected


@pytest.mark.parametrize(
    "impossible",
    [
        {"mac": ""},
        {"mac": "52:54:00:61:07"},
        {"mac": "52-54-00-61-07-0a"},
        {"mac": "01:00:5e:00:00:01"},
        {"ip": ""},
        {"ip": "10.61.8.10"},
        {"ip": "fe80::1"},
        {"ip": "10.61.7.0"},
        {"ip": "10.61.7.1"},
        {"ip": "10.61.7.255"},
        {"hostname": ""},
        {"hostname": "two.labels"},
        {"hostname": "-guest"},
    ],
    ids=str,
)
def test_reservation_that_cannot_be_is_refused(
    host: Host, network: NetworkId, marks: Marks, impossible: dict[str, Any], wait: Wait
) -> None:
    with pytest.raises(Refused):
        host.network.ensure_reservation(
            replace(reservation(network), **impossible), marks.ours, wait
        )
    assert not host.network.reservations(network, wait)


def test_mac_is_the_same_in_capitals(
    host: Host, network: NetworkId, marks: Marks, wait: Wait
) -> None:
    host.network.ensure_reservation(reservation(network), marks.ours, wait)
    once = host.network.reservations(network, wait)
    host.network.ensure_reservation(reservation(network, MAC.upper()), marks.ours, wait)
    assert host.network.reservations(network, wait) == once
    host.network.ensure_no_reservation(network, MAC.upper(), IP, whose_create(marks.ours), wait)
    assert not host.network.reservations(network, wait)


@pytest.mark.parametrize(
    ("cidr", "gateway"),
    [("x", "10.61.7.1"), (CIDR, "10.61.8.1"), (CIDR, "10.61.7.0"), (CIDR, ""), ("fe80::/64", IP)],
)
def test_network_that_cannot_be_is_refused(host: Host, cidr: str, gateway: str, wait: Wait) -> None:
    wanted = Subnet(network=NetworkId(new_id()), cidr=cidr, gateway=gateway)
    with pytest.raises(Refused):
        host.network.ensure_network(wanted, wait)
    assert not host.network.networks(wait)


def test_network_does_not_change_its_subnet(host: Host, network: NetworkId, wait: Wait) -> None:
    with pytest.raises(Refused):
        host.network.ensure_network(
            Subnet(network=network, cidr="10.61.9.0/24", gateway="10.61.9.1"), wait
        )


def test_network_of_a_running_guest_is_not_removed(
    host: Host, network: NetworkId, marks: Marks, wait: Wait
) -> None:
    volume = blank(marks.ours)
    host.volumes.ensure_volume(volume, wait)
    nic = Nic(network=network, mac=MAC)
    wanted = guest(marks.ours.instance, disk_of(volume), nics=(nic,))
    host.hypervisor.ensure_domain(wanted, marks.ours, wait)
    host.hypervisor.ensure_running(marks.ours.instance, marks.ours, wait)

    with pytest.raises(Refused):
        host.network.ensure_no_network(network, wait)

    host.hypervisor.ensure_no_domain(marks.ours.instance, whose_create(marks.ours), wait)
    host.network.ensure_no_network(network, wait)


@pytest.mark.parametrize("whose", [whose_create, whose_delete])
def test_address_is_given_back(
    host: Host,
    network: NetworkId,
    marks: Marks,
    whose: Callable[[Mark], Whose],
    wait: Wait,
) -> None:
    host.network.ensure_reservation(reservation(network), marks.ours, wait)
    for _ in range(2):
        host.network.ensure_no_reservation(network, MAC, IP, whose(marks.ours), wait)
        assert not host.network.reservations(network, wait)


def test_address_that_was_given_back_can_be_reserved_by_others(
    host: Host, network: NetworkId, marks: Marks, wait: Wait
) -> None:
    second = marks.other_instance
    host.network.ensure_reservation(reservation(network), marks.ours, wait)
    host.network.ensure_no_reservation(network, MAC, IP, whose_create(marks.ours), wait)

    host.network.ensure_reservation(reservation(network, OTHER_MAC, IP), second, wait)
    host.network.ensure_reservation(reservation(network, MAC, OTHER_IP), second, wait)

    found = {(known.mac, known.ip) for known in host.network.reservations(network, wait)}
    assert found == {(OTHER_MAC, IP), (MAC, OTHER_IP)}


def test_giving_back_on_a_missing_network_is_fine(host: Host, marks: Marks, wait: Wait) -> None:
    missing = NetworkId(new_id())
    host.network.ensure_no_reservation(missing, MAC, IP, whose_create(marks.ours), wait)


@pytest.mark.parametrize(
    "whose",
    [
        pytest.param(lambda marks: whose_create(marks.other_operation), id="other-operation"),
        pytest.param(lambda marks: whose_delete(marks.other_instance), id="other-instance"),
        pytest.param(lambda marks: whose_delete(marks.other_deployment), id="other-deployment"),
    ],
)
def test_reservation_of_others_is_not_given_back(
    host: Host,
    network: NetworkId,
    marks: Marks,
    whose: Callable[[Marks], Whose],
    wait: Wait,
) -> None:
    host.network.ensure_reservation(reservation(network), marks.ours, wait)
    before = host.network.reservations(network, wait)
    host.network.ensure_no_reservation(network, MAC, IP, whose(marks), wait)
    assert host.network.reservations(network, wait) == before


def test_reservation_without_mark_is_not_given_back(
    place: Place, host: Host, network: NetworkId, marks: Marks, wait: Wait
) -> None:
    place.put_reservation(network, MAC, IP)
    host.network.ensure_no_reservation(network, MAC, IP, whose_delete(marks.ours), wait)
    assert len(host.network.reservations(network, wait)) == 1


def test_idle_reservation_is_settled(
    host: Host, network: NetworkId, marks: Marks, wait: Wait
) -> None:
    host.network.settle_reservation(network, MAC, wait)
    host.network.ensure_reservation(reservation(network), marks.ours, wait)
    host.network.settle_reservation(network, MAC, wait)


def test_idle_network_is_settled(host: Host, wait: Wait) -> None:
    wanted = subnet()
    host.network.settle_network(wanted.network, wait)
    host.network.ensure_network(wanted, wait)
    host.network.settle_network(wanted.network, wait)


def test_network_with_reservations_is_not_removed(
    host: Host, network: NetworkId, marks: Marks, wait: Wait
) -> None:
    host.network.ensure_reservation(reservation(network), marks.ours, wait)
    with pytest.raises(Refused):
        host.network.ensure_no_network(network, wait)
    assert host.network.reservations(network, wait)


def test_ended_patience_is_told_from_failure(host: Host, marks: Marks) -> None:
    with pytest.raises(Unavailable):
        host.network.networks(Wait(0))
    with pytest.raises(Unavailable):
        host.network.ensure_network(subnet(), Wait(0))
