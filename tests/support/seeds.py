"""What guests are told: two samples, and any at all."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface

from hypothesis import strategies as st

from vmwright.backends.guest_data import (
    InjectedFile,
    SecurityGroup,
    SecurityGroupRule,
    Seed,
    SeedDisk,
    SeedNic,
)
from vmwright.ids import InstanceId, NetworkId, PortId

SECRET = "marker-of-a-secret"

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFakeFakeFake someone@somewhere"
RSA_KEY = "ssh-rsa AAAAB3NzaC1yc2EFakeFakeFake someone@else"
PORTS = [PortId(f"00000000-0000-4000-8000-00000000000{number}") for number in (1, 2, 3)]
NETWORKS = [NetworkId(f"10000000-0000-4000-8000-00000000000{number}") for number in (1, 2, 3)]
RESOLVERS = (IPv4Address("192.0.2.53"), IPv4Address("198.51.100.53"))

BY_DHCP = SeedNic(port=PORTS[0], mac="52:54:00:00:00:01", network=NETWORKS[0], tags=("front",))
STATIC = SeedNic(
    port=PORTS[1],
    mac="52:54:00:00:00:02",
    network=NETWORKS[1],
    mtu=9000,
    dhcp=False,
    address=IPv4Interface("192.0.2.130/25"),
    gateway=IPv4Address("192.0.2.129"),
    dns=RESOLVERS,
)
ISOLATED = SeedNic(
    port=PORTS[2],
    mac="52:54:00:00:00:03",
    network=NETWORKS[2],
    dhcp=False,
    address=IPv4Interface("198.51.100.9/24"),
    dns=RESOLVERS[1:],
)
WEB = SecurityGroup(
    name="web",
    rules=(
        SecurityGroupRule(
            direction="ingress",
            protocol="tcp",
            port_range_min=80,
            port_range_max=443,
            remote_ip_prefix="203.0.113.0/24",
        ),
        SecurityGroupRule(direction="egress", ethertype="IPv6", remote_group="web"),
    ),
)

PLAIN = Seed(
    instance=InstanceId("aaaaaaaa-0000-4000-8000-000000000001"),
    name="wéb 1",
    hostname="web-1",
    project="default",
)
FULL = replace(
    PLAIN,
    launch_index=2,
    availability_zone="east",
    metadata={"role": "web", "äöü": '"quoted" \n </end>'},
    public_keys={"work": KEY, "home": RSA_KEY},
    nics=(BY_DHCP, STATIC, ISOLATED),
    disks=(
        SeedDisk(serial="root"),
        SeedDisk(serial="data", bus="scsi", tags=("data", "fast"), guest_format="xfs"),
        SeedDisk(serial="scratch", guest_format="ext4", label="ephemeral0"),
        SeedDisk(serial="swap", bus="sata", guest_format="swap"),
    ),
    files=(
        InjectedFile(path="/etc/app.conf", content=b"token = marker-of-a-secret\n"),
        InjectedFile(path="../../a/'very'/$(deep) \"päth\"/" + "d/" * 90, content=b"\x00\xff"),
    ),
    security_groups=(WEB, SecurityGroup(name="default")),
    admin_password="marker-of-a-secret: 'no' #1",
    user_data=b"#cloud-config\n\x00\xff marker-of-a-secret\n",
    vendor_data={"mirror": {"b": 1, "a": [2]}, "token": SECRET},
    auto_disk_config=False,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
WORDS = st.from_regex(r"\A[a-z0-9][a-z0-9-]{0,18}\Z")
ADDRESSES = st.ip_addresses(v=4)


@st.composite
def nics(draw: st.DrawFn) -> SeedNic:
    number = draw(st.integers(0, 0xFFFFFF))
    prefix = draw(st.integers(1, 31))
    return SeedNic(
        port=draw(st.sampled_from(PORTS)),
        mac="52:54:00:" + ":".join(f"{byte:02x}" for byte in number.to_bytes(3)),
        network=draw(st.sampled_from(NETWORKS)),
        mtu=draw(st.integers(68, 65535)),
        dhcp=draw(st.booleans()),
        address=IPv4Interface(f"{draw(ADDRESSES)}/{prefix}"),
        gateway=draw(st.none() | ADDRESSES),
        dns=draw(st.lists(ADDRESSES, max_size=3).map(tuple)),
        tags=draw(st.lists(TEXTS, max_size=2).map(tuple)),
    )


DISKS = st.builds(
    SeedDisk,
    serial=WORDS,
    bus=st.sampled_from(["virtio", "scsi", "sata", "ide", "usb"]),
    tags=st.lists(TEXTS, max_size=2).map(tuple),
    guest_format=st.sampled_from([None, "ext4", "xfs", "swap"]),
    label=st.none() | WORDS,
)
PORT_NUMBERS = st.none() | st.integers(0, 65535)
RULES = st.builds(
    SecurityGroupRule,
    direction=st.sampled_from(["ingress", "egress"]),
    ethertype=st.sampled_from(["IPv4", "IPv6"]),
    protocol=st.none() | WORDS,
    port_range_min=PORT_NUMBERS,
    port_range_max=PORT_NUMBERS,
    remote_ip_prefix=st.none() | WORDS,
    remote_group=st.none() | TEXTS,
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
CLOUD_CONFIGS = st.sampled_from(["#cloud-config\ntimezone: UTC\n", "#!/bin/sh\ntrue\n"])
VENDOR_DATA = st.builds(
    lambda more, parts: more | parts,
    st.dictionaries(TEXTS, JSON_VALUES, max_size=3),
    st.fixed_dictionaries({}, optional={"cloud-init": CLOUD_CONFIGS | st.lists(CLOUD_CONFIGS)}),
)
SEEDS = st.builds(
    Seed,
    instance=st.uuids().map(str).map(InstanceId),
    name=TEXTS,
    hostname=WORDS,
    project=TEXTS,
    launch_index=st.integers(0, 1000),
    availability_zone=TEXTS,
    metadata=st.dictionaries(TEXTS, TEXTS, max_size=3),
    public_keys=st.dictionaries(TEXTS, TEXTS, max_size=3),
    nics=st.lists(nics(), max_size=3).map(tuple),
    disks=st.lists(DISKS, max_size=4).map(tuple),
    files=st.lists(
        st.builds(InjectedFile, path=TEXTS, content=st.binary(max_size=3000)), max_size=3
    ).map(tuple),
    security_groups=st.lists(
        st.builds(SecurityGroup, name=TEXTS, rules=st.lists(RULES, max_size=2).map(tuple)),
        max_size=2,
    ).map(tuple),
    admin_password=st.none() | TEXTS.map(lambda text: SECRET + text),
    user_data=st.none() | st.binary(max_size=3000),
    vendor_data=VENDOR_DATA,
    auto_disk_config=st.booleans(),
)
"""Whatever the door lets through, and more."""
