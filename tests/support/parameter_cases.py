"""For each row of the table in docs/reference/parameters.md: what is accepted, and what is refused.

A case is a request, as fields of the library and as words of the command, and what becomes of
it. `{files}` stands for a directory that holds `parameter_world.FILES`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.parameter_world import BUSY_IP, BUSY_MAC, FILES, SSH_KEY
from vmwright.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    QuotaExceeded,
    VmwrightError,
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One request; without an `error` it is accepted."""

    row: str
    """The first cell of its row in the table."""
    fields: Mapping[str, Any]
    """What differs from, or is added to, the plainest request."""
    words: tuple[str, ...] | None
    """The same for the command; None: in a file, as no option can say it."""
    error: type[VmwrightError] | None = None
    text: str = ""
    """What the message says."""
    command_error: tuple[type[VmwrightError], str] | None = None
    """Where the command's own parser is in the way before."""
    options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Settings, by section."""
    member: bool = False
    """Whether somebody asks who is not an administrator."""

    def __str__(self) -> str:
        said = " ".join(self.words or map(str, self.fields.items()))
        return f"{self.row.replace('`', '')}: {said}"[:70]


def accepted(row: str, words: tuple[str, ...] | None, **fields: Any) -> Case:
    return Case(row=row, fields=fields, words=words)


def refused(
    row: str,
    words: tuple[str, ...] | None,
    error: type[VmwrightError],
    text: str,
    **fields: Any,
) -> Case:
    return Case(row=row, fields=fields, words=words, error=error, text=text)


def limited(case: Case, **quota: int) -> Case:
    """The case where the operator has set these limits."""
    options = {"quota": {name: str(value) for name, value in quota.items()}}
    return Case(**{**vars(case), "options": options})


def of_member(case: Case) -> Case:
    return Case(**{**vars(case), "member": True})


def parsed(case: Case, text: str) -> Case:
    """The case where the command's parser refuses the words with this text."""
    return Case(**{**vars(case), "command_error": (InvalidRequest, text)})


def _basics() -> Iterator[Case]:
    yield accepted("`name`", (), name="Web 1")
    yield refused("`name`", (), InvalidRequest, "a name has no white space at its ends", name=" a")
    yield refused("`name`", (), InvalidRequest, "1 to 255 characters", name="x" * 256)
    yield accepted("`image`", ())
    yield refused("`image`", (), NotFound, "no image", image="unknown")
    yield refused("`image`", (), InvalidRequest, "Missing imageRef attribute", image=None)
    yield accepted("`image` and disk", (), flavor="small")
    yield refused("`image` and disk", (), InvalidRequest, "has a disk of", image="vast")
    yield refused("`image` and disk", (), InvalidRequest, "GiB of disk", image="large")
    yield accepted("`image` and memory", (), flavor="wide")
    yield refused("`image` and memory", (), InvalidRequest, "MiB of memory", image="hungry")
    yield accepted("`flavor`", (), flavor="wide")
    yield refused("`flavor`", (), NotFound, "no flavor", flavor="unknown")
    yield refused("`flavor`", (), InvalidRequest, "is disabled", flavor="off")
    row = "`flavor` without a disk"
    yield accepted(row, (), flavor="diskless")
    yield of_member(
        refused(row, (), Forbidden, "vmwright:create:zero_disk_flavor", flavor="diskless")
    )
    row = "`description`"
    yield accepted(row, ("--description", "what it is"), description="what it is")
    yield refused(
        row,
        ("--description", "x" * 256),
        InvalidRequest,
        "a description has at most 255 characters",
        description="x" * 256,
    )
    row = "`hostname`"
    yield accepted(row, ("--hostname", "www.example.org"), hostname="www.example.org")
    for bad, text in (("a_b", "made of labels"), ("a", "2 to 255 characters")):
        yield refused(row, ("--hostname", bad), InvalidRequest, text, hostname=bad)


def _several() -> Iterator[Case]:
    row = "`min_count`, `max_count`"
    yield accepted(row, ("--min", "1", "--max", "2"), min_count=1, max_count=2)
    yield refused(
        row,
        ("--min", "3", "--max", "2"),
        InvalidRequest,
        "min_count must be <= max_count",
        min_count=3,
        max_count=2,
    )
    yield refused(row, ("--max", "0"), InvalidRequest, "greater than or equal to 1", max_count=0)
    row = "`max_count` and `name`"
    yield accepted(row, ("--max", "2"), name="x" * 253, max_count=2)
    yield refused(
        row,
        ("--max", "2"),
        InvalidRequest,
        "instances get their number behind the name",
        name="x" * 254,
        max_count=2,
    )
    one = {"ip": "10.9.0.50"}
    yield accepted(
        "`max_count` and fixed IP",
        ("--network", "lan", "--max", "2"),
        networks=[{"network": "lan"}],
        max_count=2,
    )
    yield refused(
        "`max_count` and fixed IP",
        ("--network", "lan,ip=10.9.0.50", "--max", "2"),
        InvalidRequest,
        "max_count cannot be greater than 1 if a fixed_ip is specified",
        networks=[{"network": "lan"} | one],
        max_count=2,
    )
    yield accepted(
        "`max_count` and port",
        ("--port", "free", "--max", "1"),
        networks=[{"port": "free"}],
        max_count=1,
    )
    yield refused(
        "`max_count` and port",
        ("--port", "free", "--max", "2"),
        InvalidRequest,
        "one port cannot be given to several instances",
        networks=[{"port": "free"}],
        max_count=2,
    )
    mac = "52:54:00:00:00:77"
    yield accepted(
        "`max_count` and MAC",
        ("--network", f"lan,mac={mac}", "--max", "1"),
        networks=[{"network": "lan", "mac": mac}],
        max_count=1,
    )
    yield refused(
        "`max_count` and MAC",
        ("--network", f"lan,mac={mac}", "--max", "2"),
        InvalidRequest,
        "max_count cannot be greater than 1 if a MAC address is specified",
        networks=[{"network": "lan", "mac": mac}],
        max_count=2,
    )
    yield accepted(
        "`max_count` and `hostname`", ("--hostname", "ww", "--max", "1"), hostname="ww", max_count=1
    )
    yield refused(
        "`max_count` and `hostname`",
        ("--hostname", "ww", "--max", "2"),
        InvalidRequest,
        "one hostname cannot be given to several instances",
        hostname="ww",
        max_count=2,
    )
    yield accepted(
        "`max_count` and volume",
        ("--volume", "size=1", "--max", "2"),
        volumes=[{"size": 1}],
        max_count=2,
    )
    yield refused(
        "`max_count` and volume",
        ("--volume", "volume=data", "--max", "2"),
        InvalidRequest,
        "one volume cannot be given to several instances",
        volumes=[{"volume": "data"}],
        max_count=2,
    )
    row = "`idempotency_key`"
    yield accepted(row, ("--idempotency-key", "new"), idempotency_key="new")
    yield refused(
        row,
        ("--idempotency-key", "used"),
        Conflict,
        "was used with another request",
        idempotency_key="used",
    )


def _quotas() -> Iterator[Case]:
    wishes: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
        "instances": ((), {}),
        "cores": ((), {}),
        "ram": ((), {}),
        "volumes": (("--volume", "size=1"), {"volumes": [{"size": 1}]}),
        "gigabytes": (("--volume", "size=1"), {"volumes": [{"size": 1}]}),
        "fixed_ips": (("--network", "lan"), {"networks": [{"network": "lan"}]}),
    }
    for resource, (words, fields) in wishes.items():
        row = f"quota of {resource.replace('_', ' ')}"
        yield limited(accepted(row, words, **fields), **{resource: 100_000})
        yield limited(
            refused(row, words, QuotaExceeded, f"Quota exceeded for {resource}", **fields),
            **{resource: 0},
        )


def _networks() -> Iterator[Case]:
    row = "`networks`"
    lan = {"network": "lan"}
    yield accepted(row, ("--network", "lan", "--nic", "lan"), networks=[lan, lan])
    yield refused(
        row, ("--network", "unknown"), NotFound, "no network", networks=[{"network": "unknown"}]
    )
    yield refused(
        row,
        ("--network", "lan") * 17,
        InvalidRequest,
        "at most 16 items",
        networks=[lan] * 17,
    )
    yield accepted("`networks` = `auto`", ("--network", "auto"), networks="auto")
    yield refused(
        "`networks` = `auto`",
        ("--network", "auto"),
        Conflict,
        "which one is meant is not clear",
        networks="auto",
    )
    yield accepted("`networks` = `none`", ("--network", "none"), networks="none")
    yield refused(
        "`networks` = `none`",
        ("--network", "none", "--network", "lan"),
        NotFound,
        "no network 'none'",
        networks=[{"network": "none"}, lan],
    )
    row = "`networks.ip`"
    yield accepted(row, ("--network", "lan,ip=10.9.0.33"), networks=[lan | {"ip": "10.9.0.33"}])
    for ip, error, text in (
        ("10.9.0", InvalidRequest, "is not an IPv4 address"),
        ("10.8.0.1", InvalidRequest, "network 'lan'"),
        (BUSY_IP, InvalidRequest, "is in use"),
    ):
        yield refused(row, ("--network", f"lan,ip={ip}"), error, text, networks=[lan | {"ip": ip}])
    row = "`networks.mac`"
    mac = "52:54:00:00:00:33"
    yield accepted(row, ("--network", f"lan,mac={mac}"), networks=[lan | {"mac": mac}])
    for mac, error, text in (
        ("01:00:5e:00:00:01", InvalidRequest, "is a multicast address"),
        (BUSY_MAC, InvalidRequest, "is in use"),
    ):
        yield refused(
            row, ("--network", f"lan,mac={mac}"), error, text, networks=[lan | {"mac": mac}]
        )
    row = "`networks.port`"
    yield accepted(row, ("--network", "port=free"), networks=[{"port": "free"}])
    yield refused(row, ("--port", "busy"), Conflict, "is still in use", networks=[{"port": "busy"}])
    yield refused(
        row, ("--port", "nope"), NotFound, "could not be found", networks=[{"port": "nope"}]
    )
    yield refused(
        row,
        None,
        InvalidRequest,
        "a port has its network and addresses already",
        networks=[{"port": "free", "ip": "10.9.0.33"}],
    )
    row = "`networks.tag`"
    yield accepted(row, ("--network", "lan,tag=front"), networks=[lan | {"tag": "front"}])
    yield refused(
        row,
        ("--network", "lan,tag=a/b"),
        InvalidRequest,
        "a tag has no comma, no slash and no invisible characters",
        networks=[lan | {"tag": "a/b"}],
    )
    row = "`networks`, the same twice"
    yield accepted(
        row,
        ("--network", "lan,tag=a", "--network", "lan,tag=b"),
        networks=[lan | {"tag": "a"}, lan | {"tag": "b"}],
    )
    yield refused(
        row,
        ("--network", "lan,tag=a") * 2,
        InvalidRequest,
        "the same tag is asked for twice",
        networks=[lan | {"tag": "a"}] * 2,
    )
    yield refused(
        row,
        ("--port", "free") * 2,
        InvalidRequest,
        "the same port is asked for twice",
        networks=[{"port": "free"}] * 2,
    )
    row = "`security_groups`"
    yield accepted(
        row,
        ("--security-group", "web", "--security-group", "default"),
        security_groups=["web", "default"],
    )
    yield refused(
        row, ("--security-group", "nope"), NotFound, "no security group", security_groups=["nope"]
    )
    for version, good, bad in ((4, "192.0.2.1", "192.0.2"), (6, "2001:db8::1", "192.0.2.1")):
        row, option = f"`access_ip_v{version}`", f"--access-ip-v{version}"
        yield accepted(row, (option, good), **{f"access_ip_v{version}": good})
        yield refused(
            row,
            (option, bad),
            InvalidRequest,
            f"is not an IPv{version} address",
            **{f"access_ip_v{version}": bad},
        )


def _volumes() -> Iterator[Case]:
    row = "`volumes`"
    yield accepted(
        row,
        ("--volume", "size=1,name=a,format=ext4"),
        volumes=[{"size": 1, "name": "a", "guest_format": "ext4"}],
    )
    yield accepted(row, ("--volume", "snapshot=snap"), volumes=[{"snapshot": "snap"}])
    yield refused(
        row,
        ("--volume", "name=a"),
        InvalidRequest,
        "say size=GIB for a new volume",
        volumes=[{"name": "a"}],
    )
    yield refused(
        row,
        ("--volume", "image=disk,snapshot=snap"),
        InvalidRequest,
        "say one of image=, snapshot= and volume=",
        volumes=[{"image": "disk", "snapshot": "snap"}],
    )
    yield refused(
        row,
        ("--volume", "volume=data,size=1"),
        InvalidRequest,
        "has its size and name already",
        volumes=[{"volume": "data", "size": 1}],
    )
    row = "size of a new volume"
    yield accepted(row, ("--volume", "size=2,image=large"), volumes=[{"size": 2, "image": "large"}])
    for source in ("image=large", "snapshot=snap"):
        kind, name = source.split("=")
        yield refused(
            row,
            ("--volume", f"size=1,{source}"),
            InvalidRequest,
            "is too small for",
            volumes=[{"size": 1, kind: name}],
        )
    yield refused(
        row,
        ("--volume", "size=0"),
        InvalidRequest,
        "greater than or equal to 1",
        volumes=[{"size": 0}],
    )
    row = "existing volume"
    yield accepted(row, ("--volume", "volume=data"), volumes=[{"volume": "data"}])
    yield refused(
        row, ("--volume", "volume=nope"), NotFound, "no volume", volumes=[{"volume": "nope"}]
    )
    yield of_member(
        refused(
            row,
            ("--volume", "volume=another's"),
            NotFound,
            "no volume",
            volumes=[{"volume": "another's"}],
        )
    )
    yield refused(
        row,
        ("--volume", "volume=busy"),
        InvalidRequest,
        "is in use by instance",
        volumes=[{"volume": "busy"}],
    )
    yield refused(
        row,
        ("--volume", "volume=data") * 2,
        InvalidRequest,
        "the same volume is asked for twice",
        volumes=[{"volume": "data"}] * 2,
    )
    row = "boot from a volume"
    yield accepted(
        row,
        ("--boot-from-volume", "1", "--image", "disk"),
        image=None,
        volumes=[{"image": "disk", "size": 1, "boot_index": 0}],
    )
    yield accepted(
        row,
        ("--volume", "volume=bootable,boot_index=0"),
        image=None,
        volumes=[{"volume": "bootable", "boot_index": 0}],
    )
    for source in ("volume=data", "snapshot=snap"):
        kind, name = source.split("=")
        yield refused(
            row,
            ("--volume", f"{source},boot_index=0"),
            InvalidRequest,
            "is not bootable",
            image=None,
            volumes=[{kind: name, "boot_index": 0}],
        )


def _device(
    row: str, error: type[VmwrightError] | None, text: str, *devices: dict[str, Any], **fields: Any
) -> Case:
    """A case of block device mapping version 2, whose options are its fields."""
    words: list[str] = []
    for device in devices:
        said = ",".join(
            f"{key}={str(value).lower() if value is True else value}"
            for key, value in device.items()
        )
        words += ["--block-device", said]
    return Case(
        row=row,
        fields={"block_devices": list(devices)} | fields,
        words=tuple(words),
        error=error,
        text=text,
    )


def _devices() -> Iterator[Case]:
    blank = {"source_type": "blank", "destination_type": "volume", "volume_size": 1}
    local = {"source_type": "blank", "destination_type": "local", "volume_size": 1}
    wide = {"flavor": "wide"}
    row = "`block_devices.source_type`, `.uuid`"
    yield _device(row, None, "", blank)
    yield _device(
        row, None, "", {"source_type": "volume", "uuid": "data", "destination_type": "volume"}
    )
    yield _device(row, InvalidRequest, "Invalid device UUID", blank | {"uuid": "data"})
    yield _device(row, InvalidRequest, "Missing device UUID", {"source_type": "volume"})
    yield _device(
        row,
        InvalidRequest,
        "Input should be 'image', 'volume', 'snapshot' or 'blank'",
        {"source_type": "nfs"},
    )
    row = "`block_devices.destination_type`"
    root = {"source_type": "image", "destination_type": "local", "uuid": "disk", "boot_index": 0}
    yield _device(row, None, "", root)
    yield _device(
        row,
        InvalidRequest,
        "Mapping image to local is not supported",
        {"source_type": "image", "destination_type": "local", "uuid": "disk"},
    )
    for source, name in (("volume", "data"), ("snapshot", "snap")):
        yield _device(
            row,
            InvalidRequest,
            f"Mapping {source} to local is not supported",
            {"source_type": source, "destination_type": "local", "uuid": name},
        )
    row = "local boot disk"
    yield _device(row, None, "", root)
    yield _device(row, InvalidRequest, "made from another image", root | {"uuid": "large"})
    yield _device(
        row, InvalidRequest, "is made from the request's image: name that, too", root, image=None
    )
    row = "`block_devices.boot_index`"
    image = {"source_type": "image", "destination_type": "volume", "uuid": "disk"}
    yield _device(row, None, "", image | {"boot_index": 0}, blank | {"boot_index": 1}, image=None)
    text = "Boot sequence for the instance and image/block device mapping combination is not valid"
    yield _device(row, InvalidRequest, text, image | {"boot_index": 0})
    yield _device(row, InvalidRequest, text, image | {"boot_index": 2})
    yield _device(row, InvalidRequest, text, image | {"boot_index": 1}, image=None)
    text = "nothing is on a blank local disk to boot from"
    yield _device(row, InvalidRequest, text, local | {"boot_index": 0}, image=None, **wide)
    row = "`block_devices.volume_size`"
    yield _device(row, None, "", image | {"volume_size": 2})
    yield _device(
        row, InvalidRequest, "a blank device needs a volume_size", {"source_type": "blank"}
    )
    yield _device(
        row, InvalidRequest, "is too small for", image | {"uuid": "vast", "volume_size": 1}
    )
    row = "`block_devices.guest_format`"
    yield _device(row, None, "", blank | {"guest_format": "xfs"})
    yield _device(row, InvalidRequest, "Input should be 'ext2'", blank | {"guest_format": "ntfs"})
    yield _device(
        row, InvalidRequest, "only a blank local disk can be swap", blank | {"guest_format": "swap"}
    )
    row = "`block_devices.disk_bus`"
    yield _device(row, None, "", blank | {"disk_bus": "scsi"})
    yield _device(
        row,
        InvalidRequest,
        "Input should be 'virtio', 'scsi' or 'sata'",
        blank | {"disk_bus": "ide"},
    )
    row = "`block_devices.device_type`"
    yield _device(row, None, "", image | {"device_type": "cdrom", "disk_bus": "sata"})
    yield _device(
        row,
        InvalidRequest,
        "a cdrom needs the bus sata or scsi",
        image | {"device_type": "cdrom", "disk_bus": "virtio"},
    )
    text = "a cdrom is a volume"
    yield _device(row, InvalidRequest, text, local | {"device_type": "cdrom"}, **wide)
    root = {"source_type": "image", "destination_type": "local", "uuid": "disk", "boot_index": 0}
    yield _device(row, InvalidRequest, text, root | {"device_type": "cdrom"})
    yield _device(
        row,
        InvalidRequest,
        "a cdrom is read only",
        blank | {"device_type": "cdrom", "guest_format": "ext4"},
    )
    row = "`block_devices.device_name`"
    yield _device(row, None, "", blank | {"device_name": "vdb"})
    yield _device(
        row,
        InvalidRequest,
        "a device name has 1 to 255 visible characters",
        blank | {"device_name": "v db"},
    )
    yield _device(
        row, InvalidRequest, "the first disk's name is taken", blank | {"device_name": "/dev/vda"}
    )
    row = "`block_devices.delete_on_termination`"
    yield _device(row, None, "", blank | {"delete_on_termination": True})
    yield parsed(
        _device(
            row,
            InvalidRequest,
            "neither true nor false",
            blank | {"delete_on_termination": "maybe"},
        ),
        "neither true nor false",
    )
    row = "`block_devices.tag`"
    yield _device(row, None, "", blank | {"tag": "log"})
    yield _device(
        row,
        InvalidRequest,
        "the same tag is asked for twice",
        blank | {"tag": "log"},
        blank | {"tag": "log"},
    )
    row = "`block_devices.name`"
    yield _device(row, None, "", blank | {"name": "log"})
    yield _device(
        row, InvalidRequest, "only a new volume can be given a name", local | {"name": "log"}
    )
    row = "ephemeral disks"
    yield _device(row, None, "", local | {"volume_size": 4}, **wide)
    yield _device(
        row,
        InvalidRequest,
        "the ephemeral disks are larger than",
        local | {"volume_size": 5},
        **wide,
    )
    yield refused(
        row,
        ("--ephemeral", "size=5"),
        InvalidRequest,
        "the ephemeral disks are larger than",
        block_devices=[local | {"volume_size": 5}],
        **wide,
    )
    row = "swap disk"
    swap = local | {"guest_format": "swap", "volume_size": 512}
    yield accepted(row, ("--swap", "512"), block_devices=[swap], **wide)
    yield refused(
        row,
        ("--swap", "513"),
        InvalidRequest,
        "the swap disk is larger than",
        block_devices=[swap | {"volume_size": 513}],
        **wide,
    )
    yield _device(row, InvalidRequest, "at most one swap disk", swap, swap, **wide)
    row = "local disks of an instance"
    yield limited(_device(row, None, "", local, local, **wide), max_local_block_devices=4)
    yield limited(
        _device(row, QuotaExceeded, "local disks, at most 3 are allowed", local, local, **wide),
        max_local_block_devices=3,
    )
    row = "disks of an instance"
    yield _device(row, None, "", *[blank] * 24)
    yield refused(
        row, ("--volume", "size=1") * 25, InvalidRequest, "at most 24", volumes=[{"size": 1}] * 25
    )
    row = "`block_device_mapping`"
    yield accepted(
        row,
        ("--block-device-mapping", "vdb=data:volume:1:true"),
        block_device_mapping=[
            {
                "device_name": "vdb",
                "volume_id": "data",
                "volume_size": 1,
                "delete_on_termination": True,
            }
        ],
    )
    yield accepted(
        row,
        None,
        block_device_mapping=[{"device_name": "vdb", "virtual_name": "swap", "volume_size": 512}],
        **wide,
    )
    yield refused(
        row,
        None,
        InvalidRequest,
        "say exactly one of volume_id, snapshot_id and virtual_name",
        block_device_mapping=[{"device_name": "vdb", "volume_id": "a", "snapshot_id": "b"}],
    )
    yield refused(
        row,
        None,
        InvalidRequest,
        "a virtual disk is called swap, or ephemeral0",
        block_device_mapping=[{"device_name": "vdb", "virtual_name": "floppy", "volume_size": 1}],
    )
    yield refused(
        row,
        None,
        InvalidRequest,
        "disk needs a volume_size",
        block_device_mapping=[{"device_name": "vdb", "virtual_name": "swap"}],
    )
    row = "two syntaxes of block devices"
    yield _device(row, None, "", blank)
    yield refused(
        row,
        ("--block-device", "source_type=blank,volume_size=1", "--block-device-mapping", "vdb=data"),
        InvalidRequest,
        "Using different block_device_mapping syntaxes is not allowed in the same request",
        block_devices=[{"source_type": "blank", "volume_size": 1}],
        block_device_mapping=[{"device_name": "vdb", "volume_id": "data"}],
    )


def _guest_data() -> Iterator[Case]:
    row = "`user_data`"
    yield accepted(row, ("--user-data", "{files}/script"), user_data=FILES["script"])
    yield Case(
        row=row,
        fields={"user_data": FILES["too-much"]},
        words=("--user-data", "{files}/too-much"),
        error=InvalidRequest,
        text="user data is limited to 65535 bytes once base64 encoded",
        command_error=(InvalidRequest, "is longer than 65535 bytes"),
    )
    row = "`config_drive`"
    yield accepted(row, ("--no-config-drive",), config_drive=False)
    yield refused(
        row,
        ("--no-config-drive", "--user-data", "{files}/script"),
        InvalidRequest,
        "user data reaches the guest by config drive only",
        config_drive=False,
        user_data=FILES["script"],
    )
    yield refused(
        row, None, InvalidRequest, "this is neither true nor false", config_drive="perhaps"
    )
    row = "`config_drive` and networks"
    yield accepted(
        row,
        ("--no-config-drive", "--network", "lan"),
        config_drive=False,
        networks=[{"network": "lan"}],
    )
    yield refused(
        row,
        ("--no-config-drive", "--network", "bridged"),
        InvalidRequest,
        "gives no addresses by DHCP",
        config_drive=False,
        networks=[{"network": "bridged"}],
    )
    row = "`config_drive_format`"
    yield accepted(row, ("--config-drive-format", "nocloud"), config_drive_format="nocloud")
    yield refused(
        row,
        None,
        InvalidRequest,
        "Input should be 'config-2' or 'nocloud'",
        config_drive_format="vfat",
    )
    row = "`metadata`"
    yield accepted(row, ("--property", "role=web"), metadata={"role": "web"})
    yield refused(
        row,
        ("--property", "a/b=c"),
        InvalidRequest,
        "a metadata key has 1 to 255",
        metadata={"a/b": "c"},
    )
    yield refused(
        row,
        ("--property", f"a={'x' * 256}"),
        InvalidRequest,
        "is longer than 255 characters",
        metadata={"a": "x" * 256},
    )
    row = "number of `metadata` items"
    yield limited(accepted(row, ("--property", "a=b"), metadata={"a": "b"}), metadata_items=1)
    yield limited(
        refused(
            row,
            ("--property", "a=b"),
            QuotaExceeded,
            "metadata items are allowed",
            metadata={"a": "b"},
        ),
        metadata_items=0,
    )
    row = "`tags`"
    yield accepted(row, ("--tag", "blue"), tags=["blue"])
    yield refused(row, ("--tag", "a,b"), InvalidRequest, "a tag has no comma", tags=["a,b"])
    yield refused(
        row, ("--tag", "x" * 61), InvalidRequest, "a tag has 1 to 60 characters", tags=["x" * 61]
    )
    many = [f"t{number}" for number in range(51)]
    yield refused(
        row,
        tuple(word for tag in many for word in ("--tag", tag)),
        InvalidRequest,
        "at most 50 items",
        tags=many,
    )
    motd = {"path": "/etc/motd", "content": FILES["script"]}
    row = "`injected_files`"
    yield accepted(row, ("--file", "/etc/motd={files}/script"), injected_files=[motd])
    yield limited(
        refused(
            row,
            ("--file", "/etc/motd={files}/script"),
            QuotaExceeded,
            "injected files are allowed",
            injected_files=[motd],
        ),
        injected_files=0,
    )
    row = "`injected_files.path`"
    yield accepted(
        row,
        ("--file", f"{'x' * 255}={{files}}/script"),
        injected_files=[motd | {"path": "x" * 255}],
    )
    yield refused(
        row,
        ("--file", f"{'x' * 256}={{files}}/script"),
        QuotaExceeded,
        "bytes in the path of an injected file are allowed",
        injected_files=[motd | {"path": "x" * 256}],
    )
    yield parsed(
        refused(
            row,
            ("--file", "={files}/script"),
            InvalidRequest,
            "Bad personality format: a file needs a path",
            injected_files=[motd | {"path": ""}],
        ),
        "is not of the form key=value",
    )
    row = "`injected_files.content`"
    long = {"path": "a", "content": FILES["too-long"]}
    yield limited(
        accepted(row, ("--file", "a={files}/too-long"), injected_files=[long]),
        injected_file_content_bytes=-1,
    )
    yield refused(
        row,
        ("--file", "a={files}/too-long"),
        QuotaExceeded,
        "bytes in injected file",
        injected_files=[long],
    )
    row = "`admin_password`"
    yield accepted(row, ("--password", "correct horse"), admin_password="correct horse")
    for bad, text in (
        ("x" * 256, "Invalid adminPass: it has 1 to 255"),
        ("$6$salt$x", "Invalid adminPass: guests"),
    ):
        yield refused(row, ("--password", bad), InvalidRequest, text, admin_password=bad)
    row = "`key`"
    yield accepted(row, ("--key-file", "{files}/key.pub"), key=SSH_KEY)
    yield refused(
        row, ("--key", "nonsense"), InvalidRequest, "an ssh key is one line", key="nonsense"
    )
    row = "`key_name`"
    yield accepted(row, ("--key-name", "mine"), key_name="mine")
    yield refused(row, ("--key-name", "nope"), NotFound, "no keypair", key_name="nope")
    yield parsed(
        refused(
            row,
            ("--key-name", "mine", "--key", SSH_KEY),
            InvalidRequest,
            "say key or key_name, not both",
            key_name="mine",
            key=SSH_KEY,
        ),
        "not allowed with argument",
    )
    row = "`disk_config`"
    yield accepted(row, ("--disk-config", "MANUAL"), image="fixed", disk_config="MANUAL")
    yield refused(
        row,
        ("--disk-config", "AUTO"),
        InvalidRequest,
        "Requested image has automatic disk resize disabled",
        image="fixed",
        disk_config="AUTO",
    )
    row = "`kernel`"
    yield accepted(row, ("--kernel", "nokernel"), image="direct", kernel="nokernel")
    yield refused(row, ("--kernel", "nope"), NotFound, "no image", kernel="nope")
    row = "`ramdisk`"
    yield accepted(row, ("--kernel", "disk", "--ramdisk", "disk"), kernel="disk", ramdisk="disk")
    yield accepted(row, ("--ramdisk", "disk"), image="direct", ramdisk="disk")
    yield refused(
        row, ("--ramdisk", "disk"), InvalidRequest, "a ramdisk needs a kernel", ramdisk="disk"
    )


def _placement() -> Iterator[Case]:
    row, option = "`availability_zone`", "--availability-zone"
    yield accepted(row, (option, "nova"), availability_zone="nova")
    for bad, text in (
        ("a:b:c:d", "Unable to parse availability_zone"),
        ("nowhere", "The requested availability zone is not available"),
        ("far", "The requested availability zone is not available"),
    ):
        yield refused(row, (option, bad), InvalidRequest, text, availability_zone=bad)
    row = "`availability_zone` with a host"
    yield accepted(row, ("--host", "away"), availability_zone=":away")
    yield refused(row, (option, "nova:nope"), NotFound, "no host", availability_zone="nova:nope")
    yield refused(
        row,
        (option, "nova:away"),
        InvalidRequest,
        "is in zone 'far'",
        availability_zone="nova:away",
    )
    yield of_member(
        refused(
            row,
            ("--host", "host1"),
            Forbidden,
            "vmwright:create:forced_host",
            availability_zone=":host1",
        )
    )
    row = "`scheduler_hints.group`"
    yield accepted(row, ("--server-group", "apart"), scheduler_hints={"group": "apart"})
    yield refused(
        row,
        ("--hint", "group=nope"),
        NotFound,
        "no server group",
        scheduler_hints={"group": "nope"},
    )
    row = "members of a server group"
    yield limited(
        accepted(row, ("--server-group", "full"), scheduler_hints={"group": "full"}),
        server_group_members=100,
    )
    yield limited(
        refused(
            row,
            ("--server-group", "full"),
            QuotaExceeded,
            "Quota exceeded, too many servers in group",
            scheduler_hints={"group": "full"},
        ),
        server_group_members=1,
    )
    for hint in ("same_host", "different_host"):
        row = f"`scheduler_hints.{hint}`"
        yield accepted(row, ("--hint", f"{hint}=there"), scheduler_hints={hint: "there"})
        yield refused(
            row,
            ("--hint", f"{hint}=nope"),
            NotFound,
            "no instance",
            scheduler_hints={hint: ["nope"]},
        )
    row = "`scheduler_hints.query`"
    query = '[">=", "$free_ram_mb", 64]'
    yield accepted(row, ("--hint", f"query={query}"), scheduler_hints={"query": query})
    yield refused(
        row,
        ("--hint", "query=1"),
        InvalidRequest,
        "scheduler_hints.query: ",
        scheduler_hints={"query": "1"},
    )
    row = "`scheduler_hints.build_near_host_ip`, `.cidr`"
    yield accepted(
        row,
        ("--hint", "build_near_host_ip=192.0.2.1", "--hint", "cidr=/16"),
        scheduler_hints={"build_near_host_ip": "192.0.2.1", "cidr": "/16"},
    )
    yield refused(
        row,
        ("--hint", "cidr=/99"),
        InvalidRequest,
        "is not a prefix such as /24",
        scheduler_hints={"cidr": "/99"},
    )
    row = "other `scheduler_hints`"
    yield accepted(row, ("--hint", "rack=7"), scheduler_hints={"rack": "7"})
    many = {f"h{number}": "1" for number in range(33)}
    yield refused(
        row,
        tuple(word for hint in many for word in ("--hint", f"{hint}=1")),
        InvalidRequest,
        "at most 32 hints are allowed",
        scheduler_hints=many,
    )
    yield refused(
        row,
        ("--hint", f"rack={'x' * 5000}"),
        InvalidRequest,
        "is longer than 4096",
        scheduler_hints={"rack": "x" * 5000},
    )
    row = "`shutdown_terminate`"
    yield accepted(row, ("--shutdown-terminate",), shutdown_terminate=True)
    yield refused(
        row, None, InvalidRequest, "this is neither true nor false", shutdown_terminate="perhaps"
    )


CASES = (
    *_basics(),
    *_several(),
    *_quotas(),
    *_networks(),
    *_volumes(),
    *_devices(),
    *_guest_data(),
    *_placement(),
)
