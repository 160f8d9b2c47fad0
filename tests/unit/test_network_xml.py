"""Network XML and DHCP entries, written and read back."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.marks import Marks
from tests.support.xml_reader import read
from vmwright.backends.libvirt.network_xml import (
    Entry,
    cidr_of,
    deployment_of,
    entries_of,
    is_guest_address,
    is_hostname,
    is_mac,
    is_network,
    network_xml,
)
from vmwright.backends.network import Subnet
from vmwright.ids import DeploymentId, NetworkId, new_id, reservation_name

GOLDEN = Path(__file__).parent / "golden"
MAC = "52:54:00:00:00:01"
DEPLOYMENT = DeploymentId("55555555-5555-4555-8555-555555555555")
SUBNET = Subnet(
    network=NetworkId("44444444-4444-4444-8444-444444444444"),
    cidr="10.1.0.0/24",
    gateway="10.1.0.1",
)


def network_with(*entries: Entry) -> str:
    hosts = "".join(entry.to_xml() for entry in entries)
    return network_xml(SUBNET, DEPLOYMENT).replace("</dhcp>", f"{hosts}</dhcp>")


def test_network_says_which_deployment_made_it() -> None:
    assert deployment_of(network_xml(SUBNET, DEPLOYMENT)) == DEPLOYMENT
    assert deployment_of("<network><metadata><owner deployment='x'/></metadata></network>") is None


def test_network_is_described_as_in_the_golden_file() -> None:
    assert network_xml(SUBNET, DEPLOYMENT) + "\n" == (GOLDEN / "network.xml").read_text()


def test_questions_for_names_are_passed_to_the_servers_that_were_named() -> None:
    network = read(network_xml(replace(SUBNET, dns=("192.0.2.53", "192.0.2.54")), DEPLOYMENT))
    servers = [server.get("addr") for server in network.iterfind("dns/forwarder")]
    assert servers == ["192.0.2.53", "192.0.2.54"]


def test_subnet_is_read_back() -> None:
    assert cidr_of(network_xml(SUBNET, DEPLOYMENT)) == (SUBNET.cidr, SUBNET.gateway)


def test_network_without_addresses_has_no_subnet() -> None:
    assert cidr_of("<network><name>bridged</name></network>") is None


@given(heirs_of=st.lists(st.just("52:54:00:00:00:02"), max_size=2))
def test_entry_is_read_back_with_its_mark(heirs_of: list[str]) -> None:
    mark = Marks(DeploymentId(new_id())).ours
    name = reservation_name("web-1", MAC, mark)
    entry = Entry(mac=MAC, ip="10.1.0.9", name=name, heirs_of=tuple(heirs_of))
    assert entries_of(network_with(entry)) == [entry]
    assert entry.mark == mark


def test_entry_of_others_has_no_mark() -> None:
    (entry,) = entries_of(network_with(Entry(mac=MAC, ip="10.1.0.9", name="printer")))
    assert entry.mark is None


@pytest.mark.parametrize(
    ("cidr", "gateway", "usable"),
    [
        ("10.1.0.0/24", "10.1.0.1", True),
        ("10.1.0.0/30", "10.1.0.2", True),
        ("10.1.0.0/24", "10.1.0.0", False),
        ("10.1.0.0/24", "10.1.0.255", False),
        ("10.1.0.0/24", "10.2.0.1", False),
        ("10.1.0.0/31", "10.1.0.1", False),
        ("10.1.0.1/24", "10.1.0.1", False),
        ("fd00::/64", "fd00::1", False),
        ("somewhere", "10.1.0.1", False),
    ],
)
def test_only_subnets_with_room_for_a_guest_are_networks(
    cidr: str, gateway: str, usable: bool
) -> None:
    assert is_network(cidr, gateway) == usable


@pytest.mark.parametrize(
    ("ip", "fits"),
    [
        ("10.1.0.2", True),
        ("10.1.0.254", True),
        ("10.1.0.0", False),
        ("10.1.0.1", False),
        ("10.1.0.255", False),
        ("10.1.1.2", False),
        ("ten", False),
    ],
)
def test_guests_have_no_address_of_the_network_itself(ip: str, fits: bool) -> None:
    assert is_guest_address(ip, SUBNET.cidr, SUBNET.gateway) == fits


@pytest.mark.parametrize(
    "text", ["", "52:54:00:00:00", "53:54:00:00:00:01", "52:54:00:00:00:0g", f"{MAC},{MAC}"]
)
def test_what_is_not_one_interface_is_no_mac(text: str) -> None:
    assert not is_mac(text)


@pytest.mark.parametrize(
    "text", ["", "-web", "web-", "web.example", "web,52:54:00:00:00:02", "a" * 64, "wéb", "web\n"]
)
def test_what_is_not_one_label_is_no_hostname(text: str) -> None:
    assert not is_hostname(text)


@pytest.mark.parametrize("text", ["w", "web-1", "1web", "a" * 63])
def test_one_label_is_a_hostname(text: str) -> None:
    assert is_hostname(text)
