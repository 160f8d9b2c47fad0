"""Requests of every kind that a store of `stocked_for_any` may be asked for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, reject, settings
from hypothesis import strategies as st

from tests.support.command_line import CommandLine
from tests.support.parameter_world import SSH_KEY, stocked_with_everything
from vmwright.errors import VmwrightError

T = TypeVar("T")


def stocked_for_any(directory: Path) -> CommandLine:
    """A store with something of everything, and a network of each kind."""
    command = stocked_with_everything(directory)
    for words in (
        ("bridged", "--subnet-range", "10.19.0.0/24", "--bridge", "br0"),
        ("shared", "--subnet-range", "10.29.0.0/24", "--libvirt-network", "default"),
    ):
        assert command("network", "create", *words).code == 0
    return command


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Mappings with any of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


def lists(of: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(of, max_size=3)


sizes = st.integers(1, 4)
tags = st.text(min_size=1, max_size=60)
formats = st.sampled_from(["ext4", "xfs", "swap"])
buses = st.sampled_from(["virtio", "scsi", "sata"])
octets = st.integers(0, 255)
sources = {
    "image": st.sampled_from(["disk", "large", "direct"]),
    "snapshot": st.sampled_from(["snap", "bootsnap"]),
    "volume": st.sampled_from(["data", "bootable", "busy"]),
}

networks = st.one_of(
    st.sampled_from(["auto", "none"]),
    lists(
        st.one_of(
            st.fixed_dictionaries(
                {"network": st.just("lan")},
                optional={
                    "ip": octets.map("10.9.0.{}".format),
                    "mac": octets.map("52:54:00:00:01:{:02x}".format),
                    "tag": tags,
                },
            ),
            st.fixed_dictionaries({"network": st.sampled_from(["bridged", "shared"])}),
            st.fixed_dictionaries({"port": st.sampled_from(["free", "busy"])}),
        )
    ),
)
volumes = lists(
    some(
        **sources,
        size=sizes,
        name=st.text(max_size=9),
        delete_on_termination=st.booleans(),
        boot_index=st.integers(-1, 1),
        bus=buses,
        tag=tags,
    )
)
devices = lists(
    st.one_of(
        *(
            st.fixed_dictionaries(
                {"source_type": st.just(kind)} | wanted,
                optional={
                    "destination_type": st.sampled_from(["local", "volume"]),
                    "boot_index": st.integers(-1, 2),
                    "guest_format": formats,
                    "disk_bus": buses,
                    "device_type": st.sampled_from(["disk", "cdrom"]),
                    "device_name": st.text(max_size=9),
                    "tag": tags,
                },
            )
            for kind, wanted in (
                *((kind, {"uuid": names}) for kind, names in sources.items()),
                ("blank", {"volume_size": sizes}),
            )
        )
    )
)
hints = st.dictionaries(
    st.text(max_size=9),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9)),
        lambda inner: st.one_of(lists(inner), st.dictionaries(st.text(max_size=3), inner)),
        max_leaves=4,
    ),
    max_size=3,
)
NEEDED = {
    "name": st.text(min_size=1, max_size=40),
    "flavor": st.sampled_from(["small", "wide", "diskless"]),
    "image": st.sampled_from(["disk", "direct", "insists", None]),
}
OPTIONAL = {
    "description": st.none() | st.text(max_size=40),
    "hostname": st.sampled_from([None, "web", "web.example.org"]),
    "min_count": st.integers(1, 2),
    "max_count": st.integers(1, 3),
    "networks": networks,
    "security_groups": lists(st.sampled_from(["default", "web"])),
    "access_ip_v6": st.ip_addresses(v=6).map(str),
    "access_ip_v4": st.ip_addresses(v=4).map(str),
    "volumes": volumes,
    "block_devices": devices,
    "block_device_mapping": lists(
        st.fixed_dictionaries(
            {"device_name": st.sampled_from(["vda", "vdb", "vdc"])},
            optional={
                "volume_id": sources["volume"],
                "snapshot_id": sources["snapshot"],
                "virtual_name": st.sampled_from(["swap", "ephemeral0"]),
                "volume_size": sizes,
                "no_device": st.booleans(),
            },
        )
    ),
    "user_data": st.none() | st.binary(max_size=99),
    "metadata": st.dictionaries(
        st.text("azAZ09-_:. ", min_size=1), st.text(max_size=40), max_size=3
    ),
    "tags": lists(tags),
    "injected_files": lists(
        st.fixed_dictionaries({"path": st.text(max_size=40), "content": st.binary(max_size=40)})
    ),
    "admin_password": st.none() | st.text(max_size=40),
    "key": st.sampled_from([None, SSH_KEY]),
    "key_name": st.sampled_from([None, "mine"]),
    "config_drive": st.booleans(),
    "config_drive_format": st.sampled_from(["config-2", "nocloud"]),
    "disk_config": st.sampled_from([None, "AUTO", "MANUAL"]),
    "kernel": st.sampled_from([None, "disk", "nokernel"]),
    "ramdisk": st.sampled_from([None, "disk"]),
    "availability_zone": st.sampled_from([None, "nova", ":away"]),
    "scheduler_hints": hints,
    "shutdown_terminate": st.booleans(),
    "idempotency_key": st.none() | st.text(max_size=9),
}


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """A few fields at a time: of too many at once, one is always wrong."""
    names = draw(st.lists(st.sampled_from(sorted(OPTIONAL)), max_size=4, unique=True))
    wanted = NEEDED | {name: OPTIONAL[name] for name in names}
    return {name: draw(strategy) for name, strategy in wanted.items()}


def accepted(call: Callable[[], T]) -> T:
    """What it returns; what is refused is refused with an error of ours."""
    try:
        return call()
    except VmwrightError:
        return reject()


fast = settings(
    max_examples=200,
    deadline=None,
    # The rules refuse most of what is made up.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
