"""What networks are called on hosts, and which of their addresses guests may have."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmwright.networks import Addresses, is_source

LAN = Addresses(cidr="10.1.0.0/29", gateway="10.1.0.1")


@pytest.mark.parametrize("name", ["br0", "br-ex.100", "_", "a" * 15, "...", "-"])
def test_bridge_has_a_name_that_linux_takes(name: str) -> None:
    assert is_source("bridge", name)


@pytest.mark.parametrize("name", [None, "", "a" * 16, ".", "..", "a/b", "a b", "a\n", "ä", "a:1"])
def test_what_linux_does_not_take_is_no_bridge(name: str | None) -> None:
    assert not is_source("bridge", name)


def test_our_own_networks_have_no_name_but_ours() -> None:
    assert is_source("nat", None)
    assert not is_source("nat", "br0")
    assert is_source("libvirt", "default")
    assert not is_source("libvirt", None)


@pytest.mark.parametrize(
    ("ip", "reason"),
    [
        ("10.1.0.8", "does not hold it"),
        ("10.1.0.0", "its own or its broadcast"),
        ("10.1.0.7", "its own or its broadcast"),
        ("10.1.0.1", "its gateway there"),
    ],
)
def test_address_that_a_network_cannot_give_has_a_reason(ip: str, reason: str) -> None:
    assert reason in str(LAN.why_not(ip))


def test_address_outside_of_the_pool_may_be_asked_for() -> None:
    pooled = Addresses(cidr=LAN.cidr, gateway=LAN.gateway, pool=("10.1.0.3", "10.1.0.4"))
    assert pooled.why_not("10.1.0.6") is None
    assert [pooled.at(offset) for offset in pooled.choice] == ["10.1.0.3", "10.1.0.4"]


@given(prefix=st.integers(8, 29), data=st.data())
def test_every_address_to_choose_may_be_asked_for_but_the_gateway(
    prefix: int, data: st.DataObject
) -> None:
    subnet = ipaddress.IPv4Network(f"10.0.0.0/{prefix}")
    inside = st.integers(1, subnet.num_addresses - 2).map(lambda offset: str(subnet[offset]))
    first, last = sorted((data.draw(inside), data.draw(inside)), key=ipaddress.IPv4Address)
    addresses = Addresses(
        cidr=str(subnet),
        gateway=data.draw(inside),
        pool=data.draw(st.sampled_from([None, (first, last)])),
    )
    chosen = addresses.at(data.draw(st.sampled_from(addresses.choice)))
    assert addresses.offset_of(chosen) in addresses.choice
    assert (addresses.why_not(chosen) is None) == (chosen != addresses.gateway)
