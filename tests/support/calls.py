"""Sequences of calls over a few marks, volumes and addresses, so that they meet each other."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from hypothesis import strategies as st

from tests.support.marks import whose_create, whose_delete
from tests.support.things import blank, disk_of, guest, image, overlay, reservation
from vmwright.backends.host import Host
from vmwright.backends.hypervisor import Guest, Nic
from vmwright.backends.network import Subnet
from vmwright.backends.volumes import Base, Volume
from vmwright.errors import Cancelled, HostFault, Refused, Unavailable
from vmwright.ids import (
    DeploymentId,
    InstanceId,
    Mark,
    NetworkId,
    OperationId,
    SnapshotId,
    snapshot_mark,
    snapshot_name,
    volume_name,
)
from vmwright.waiting import Wait

_PATIENCE = 120.0
BRIDGE = "br0"
"""Every host has it; none has another one."""


def _uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


def _mark(deployment: DeploymentId, instance: int, operation: int) -> Mark:
    return Mark(
        deployment=deployment,
        instance=InstanceId(_uuid(instance)),
        operation=OperationId(_uuid(operation)),
        attempt=1,
    )


@dataclass(frozen=True)
class Universe:
    """All that calls are about. The third network has the subnet of the first."""

    deployment: DeploymentId
    directory: Path

    @cached_property
    def image(self) -> tuple[Base, Path]:
        return image(self.directory)

    @cached_property
    def marks(self) -> list[Mark]:
        """Two operations of one instance, and one of another."""
        return [_mark(self.deployment, *numbers) for numbers in ((1, 11), (1, 12), (2, 21))]

    @property
    def subnets(self) -> list[Subnet]:
        return [
            Subnet(
                network=NetworkId(_uuid(100 + n)),
                cidr=f"10.61.{third}.0/24",
                gateway=(f"10.61.{third}.1"),
            )
            for n, third in enumerate((7, 8, 7))
        ]

    def volume(self, mark: int, kind: str) -> Volume:
        """A volume: ``overlay``, ``blank``, ``larger``, ``raw`` and ``clone`` want one name."""
        base, _ = self.image
        root = overlay(self.marks[mark], base)
        match kind:
            case "overlay":
                return root
            case "blank":
                return replace(root, base=None)
            case "larger":
                return replace(root, base=None, size_bytes=2 * root.size_bytes)
            case "raw":
                return replace(root, base=None, disk_format="raw")
            case "clone":
                return replace(root, base=None, backing=self.snapshot)
        return blank(self.marks[mark], "data")

    @property
    def snapshot(self) -> str:
        """The name of the only snapshot; its mark is of nobody else."""
        return snapshot_name(self.deployment, SnapshotId(_uuid(31)), "qcow2")

    @property
    def snapshot_mark(self) -> Mark:
        return snapshot_mark(self.deployment, SnapshotId(_uuid(31)))

    def pair(self, network: int, mac: int, ip: int) -> tuple[NetworkId, str, str]:
        """A network, and a MAC and an address on it, by their last bytes."""
        subnet = self.subnets[network]
        address = subnet.cidr.replace(".0/24", f".{ip}")
        return subnet.network, f"52:54:00:61:00:{mac:02x}", address

    def guest(self, mark: int, disks: str, network: int | str | None) -> Guest:
        """A guest with its root disk, the first mark's data volume, or both.

        `network` is the number of a subnet, or the name of a bridge.
        """
        found = []
        if "root" in disks:
            found.append(disk_of(self.volume(mark, "overlay")))
        if "data" in disks:
            found.append(disk_of(self.volume(0, "data"), "data"))
        return guest(self.marks[mark].instance, *found, nics=self._nics(mark, network))

    def _nics(self, mark: int, network: int | str | None) -> tuple[Nic, ...]:
        mac = f"52:54:00:61:00:{mark:02x}"
        match network:
            case None:
                return ()
            case int():
                return (Nic(network=self.subnets[network].network, mac=mac),)
        return (Nic(network=NetworkId(_uuid(200)), mac=mac, kind="bridge", source=network),)


Act = Callable[[Universe, Host, Wait], object]


@dataclass(frozen=True)
class Call:
    """A verb with all its arguments, for any host of any deployment."""

    text: str
    act: Act

    def __repr__(self) -> str:
        return self.text

    def outcome(self, universe: Universe, host: Host) -> str:
        """``returned`` and what, or the class of the error."""
        try:
            answer = self.act(universe, host, Wait(_PATIENCE))
        except (Refused, HostFault, Unavailable, Cancelled) as error:
            return type(error).__name__
        return f"returned {answer}"


def outcomes(calls: list[Call], universe: Universe, host: Host) -> list[str]:
    """What every call in turn came to, and what the host looks like afterwards."""
    return [call.outcome(universe, host) for call in [*calls, *looks(universe)]]


def looks(universe: Universe) -> list[Call]:
    """Calls that together see all of the universe on a host."""
    return [
        Call("domains", lambda u, h, w: sorted(map(str, h.hypervisor.domains(w)))),
        Call("networks", lambda u, h, w: sorted(h.network.networks(w))),
        Call("volumes", lambda u, h, w: sorted(map(str, h.volumes.volumes(w)))),
        *(_reservations(number) for number in range(len(universe.subnets))),
    ]


def _reservations(network: int) -> Call:
    return Call(
        f"reservations({network})",
        lambda u, h, w: sorted(map(str, h.network.reservations(u.subnets[network].network, w))),
    )


mark_numbers = st.integers(0, 2)
network_numbers = st.integers(0, 2)
whose_kinds = st.sampled_from([whose_create, whose_delete])
kinds = st.sampled_from(
    ["overlay", "overlay", "overlay", "clone", "clone", "blank", "larger", "raw", "data"]
)
last_bytes = st.integers(10, 11)
mostly = st.sampled_from([True, True, False])
disk_kinds = st.sampled_from(["root", "root+data", "data"])
bridges = st.sampled_from([BRIDGE, "br9"])


def make_volume(mark: int, kind: str) -> Call:
    return Call(
        f"ensure_volume({mark}, {kind})",
        lambda u, h, w: h.volumes.ensure_volume(u.volume(mark, kind), w),
    )


def make_copy(mark: int) -> Call:
    return Call(
        f"ensure_copy({mark})",
        lambda u, h, w: h.volumes.ensure_copy(u.snapshot, u.volume(mark, "overlay").name, w),
    )


def make_base() -> Call:
    return Call("ensure_base", lambda u, h, w: h.volumes.ensure_base(*u.image, w))


def make_network(network: int) -> Call:
    return Call(
        f"ensure_network({network})",
        lambda u, h, w: h.network.ensure_network(u.subnets[network], w),
    )


def reserve(network: int, mark: int, mac: int, ip: int) -> Call:
    return Call(
        f"ensure_reservation({network}, mac {mac}, ip {ip}, {mark})",
        lambda u, h, w: h.network.ensure_reservation(
            reservation(*u.pair(network, mac, ip)), u.marks[mark], w
        ),
    )


def define(mark: int, disks: str, network: int | str | None) -> Call:
    return Call(
        f"ensure_domain({mark}, {disks}, {network})",
        lambda u, h, w: h.hypervisor.ensure_domain(u.guest(mark, disks, network), u.marks[mark], w),
    )


def switch_on(mark: int) -> Call:
    return Call(
        f"ensure_running({mark})",
        lambda u, h, w: h.hypervisor.ensure_running(u.marks[mark].instance, u.marks[mark], w),
    )


@st.composite
def volume_calls(draw: st.DrawFn) -> Call:
    mark, kind = draw(mark_numbers), draw(kinds)
    if draw(st.booleans()):
        return make_volume(mark, kind)
    whose, owner = draw(whose_kinds), draw(st.just(mark) | mark_numbers)
    return Call(
        f"ensure_no_volume({mark}, {kind}, {whose.__name__}({owner}))",
        lambda u, h, w: h.volumes.ensure_no_volume(
            u.volume(mark, kind).name, whose(u.marks[owner]), w
        ),
    )


@st.composite
def content_calls(draw: st.DrawFn) -> Call:
    mark, length = draw(mark_numbers), draw(st.sampled_from([512, 1024]))
    role = draw(st.sampled_from(["config.raw", "root.qcow2"]))
    return Call(
        f"ensure_content({mark}, {role}, {length})",
        lambda u, h, w: h.volumes.ensure_content(
            volume_name(u.marks[mark], *role.split(".")), b"x" * length, w
        ),
    )


@st.composite
def copy_calls(draw: st.DrawFn) -> Call:
    mark = draw(mark_numbers)
    if draw(mostly):
        return make_copy(mark)
    whose = draw(whose_kinds)
    return Call(
        f"ensure_no_volume(snapshot, {whose.__name__})",
        lambda u, h, w: h.volumes.ensure_no_volume(u.snapshot, whose(u.snapshot_mark), w),
    )


@st.composite
def base_calls(draw: st.DrawFn) -> Call:
    if draw(st.booleans()):
        return make_base()
    if draw(st.booleans()):
        return Call("ensure_no_pool", lambda u, h, w: h.volumes.ensure_no_pool(w))
    return Call("ensure_no_base", lambda u, h, w: h.volumes.ensure_no_base(u.image[0], w))


@st.composite
def network_calls(draw: st.DrawFn) -> Call:
    network = draw(network_numbers)
    if draw(mostly):
        return make_network(network)
    return Call(
        f"ensure_no_network({network})",
        lambda u, h, w: h.network.ensure_no_network(u.subnets[network].network, w),
    )


@st.composite
def reservation_calls(draw: st.DrawFn) -> Call:
    network, mark, mac, ip = (
        draw(numbers) for numbers in (network_numbers, mark_numbers, last_bytes, last_bytes)
    )
    if draw(mostly):
        return reserve(network, mark, mac, ip)
    whose = draw(whose_kinds)
    return Call(
        f"ensure_no_reservation({network}, mac {mac}, ip {ip}, {whose.__name__}({mark}))",
        lambda u, h, w: h.network.ensure_no_reservation(
            *u.pair(network, mac, ip), whose(u.marks[mark]), w
        ),
    )


@st.composite
def guest_calls(draw: st.DrawFn) -> Call:
    mark, whose = draw(mark_numbers), draw(whose_kinds)
    match draw(st.sampled_from(["define", "run", "run", "forget"])):
        case "define":
            return define(mark, draw(disk_kinds), draw(st.none() | network_numbers | bridges))
        case "run":
            return switch_on(mark)
    return Call(
        f"ensure_no_domain({whose.__name__}({mark}))",
        lambda u, h, w: h.hypervisor.ensure_no_domain(
            u.marks[mark].instance, whose(u.marks[mark]), w
        ),
    )


@st.composite
def builds(draw: st.DrawFn) -> list[Call]:
    """All calls of a build in their order: what follows meets a guest that runs."""
    mark, network, disks = draw(mark_numbers), draw(st.integers(0, 1)), draw(disk_kinds)
    return [
        make_network(network),
        reserve(network, mark, mac=draw(last_bytes), ip=draw(last_bytes)),
        make_base(),
        make_volume(mark, draw(st.sampled_from(["overlay", "overlay", "clone"]))),
        make_copy(draw(mark_numbers)),
        make_volume(0, "data"),
        define(mark, disks, draw(st.sampled_from([None, network, BRIDGE]))),
        switch_on(mark),
    ]


single_calls = st.one_of(
    volume_calls(),
    content_calls(),
    copy_calls(),
    base_calls(),
    network_calls(),
    reservation_calls(),
    guest_calls(),
).map(lambda call: [call])


def call_sequences(longest: int) -> st.SearchStrategy[list[Call]]:
    """Single calls and whole builds in any order."""
    parts = st.lists(single_calls | builds(), min_size=longest // 3, max_size=longest)
    return parts.map(lambda groups: [call for group in groups for call in group])
