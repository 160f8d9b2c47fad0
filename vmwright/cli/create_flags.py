"""The options of `create`, and the request that they make."""

import argparse
from typing import Any

from vmwright.cli import parsing
from vmwright.errors import InvalidRequest

_MAX_USER_DATA = 65535
_MAX_KEY = 16384
_MAX_FILE = 2**20
_MAX_PASSWORD = 4096


def add_request_options(parser: argparse.ArgumentParser) -> None:
    """Everything that a request may say."""
    parser.add_argument("--image", help="what the root disk begins as; without it, a volume boots")
    parser.add_argument("--flavor", help="processors, memory and root disk")
    parser.add_argument("--description", metavar="TEXT")
    parser.add_argument("--hostname", metavar="NAME", help="by default made of the name")
    parser.add_argument(
        "--kernel",
        metavar="IMAGE",
        help="boot this, not the disk's loader; nokernel: do not",
    )
    parser.add_argument("--ramdisk", metavar="IMAGE", help="the initial RAM disk of --kernel")
    _add_count(parser)
    _add_network(parser)
    _add_disks(parser)
    _add_guest_data(parser)
    _add_config_drive(parser)
    _add_placement(parser)


def fields_of_request(arguments: argparse.Namespace) -> dict[str, Any]:
    """What was said, as the fields of a `CreateRequest`; what was not is left out."""
    said = {
        **_plain(arguments),
        **_guest_data(arguments),
        "networks": _networks(arguments.network),
        "security_groups": arguments.security_group,
        "volumes": [*_boot_volume(arguments), *arguments.volume],
        "block_devices": [*arguments.block_device, *_local_disks(arguments)],
        "block_device_mapping": arguments.block_device_mapping,
        "availability_zone": _zone(arguments),
        "scheduler_hints": _hints(arguments),
        "metadata": parsing.unique(arguments.property, "--property"),
        "tags": arguments.tag,
    }
    return {name: value for name, value in said.items() if value not in (None, [], {})}


def _add_count(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--min", type=parsing.count, metavar="N", help="instances at the least")
    parser.add_argument(
        "--max", type=parsing.count, metavar="N", help="instances at the most: NAME-1, NAME-2, ..."
    )
    parser.add_argument(
        "--idempotency-key",
        metavar="KEY",
        help="asked again with it, the same request gets the same answer and builds nothing",
    )


def _add_network(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--network",
        "--nic",
        action="append",
        default=[],
        type=parsing.network,
        metavar="N[,ip=A][,mac=M][,tag=T] | port=P[,tag=T] | auto | none",
        help="connect to this network, or by this port; may be repeated",
    )
    parser.add_argument(
        "--port",
        action="append",
        dest="network",
        type=parsing.port,
        metavar="P[,tag=T]",
        help="connect by this port; may be repeated",
    )
    parser.add_argument(
        "--security-group", action="append", default=[], metavar="GROUP", help="may be repeated"
    )
    parser.add_argument("--access-ip-v4", metavar="IP", help="shown, and not used")
    parser.add_argument("--access-ip-v6", metavar="IP", help="shown, and not used")


def _add_disks(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--volume",
        action="append",
        default=[],
        type=parsing.volume,
        metavar="size=GIB[,image=I][,snapshot=S][,name=X][,delete=true|false] | volume=V",
        help="make a volume, or use one that exists; also boot_index=, bus=, tag=, format=",
    )
    parser.add_argument(
        "--boot-from-volume",
        type=parsing.gib,
        metavar="GIB",
        help="boot from a new volume of this size, made from --image",
    )
    parser.add_argument(
        "--block-device",
        action="append",
        default=[],
        type=parsing.block_device,
        metavar="KEY=VALUE,...",
        help="block device mapping, version 2: uuid, source_type, destination_type, ...",
    )
    parser.add_argument(
        "--block-device-mapping",
        action="append",
        default=[],
        type=parsing.legacy_device,
        metavar="DEVICE=ID[:TYPE[:SIZE[:DELETE]]]",
        help="the legacy form: TYPE is volume or snapshot",
    )
    parser.add_argument("--swap", type=parsing.count, metavar="MIB", help="a swap disk")
    parser.add_argument(
        "--ephemeral",
        action="append",
        default=[],
        type=parsing.ephemeral,
        metavar="size=GIB[,format=F][,bus=B][,tag=T]",
        help="a blank disk that lives and dies with the instance; may be repeated",
    )


def _add_guest_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--user-data", metavar="FILE", help="what cloud-init reads in the guest")
    parser.add_argument(
        "--property",
        action="append",
        default=[],
        type=parsing.pair,
        metavar="KEY=VALUE",
        help="metadata of the instance; may be repeated",
    )
    parser.add_argument("--tag", action="append", default=[], help="may be repeated")
    parser.add_argument(
        "--file",
        action="append",
        default=[],
        type=parsing.pair,
        metavar="PATH=FILE",
        help="have the guest find this file, meant for PATH; may be repeated",
    )
    password = parser.add_mutually_exclusive_group()
    password.add_argument("--password", metavar="TEXT", help="of the administrator in the guest")
    password.add_argument("--password-file", metavar="FILE", help="the same, from a file")
    key = parser.add_mutually_exclusive_group()
    key.add_argument("--key-name", metavar="NAME", help="a registered key pair")
    key.add_argument("--key-file", metavar="FILE", help="ssh public key that the guest admits")
    key.add_argument("--key", metavar="TEXT", help="the same as text")


def _add_config_drive(parser: argparse.ArgumentParser) -> None:
    drive = parser.add_mutually_exclusive_group()
    drive.add_argument(
        "--use-config-drive",
        "--config-drive",
        dest="config_drive",
        action="store_true",
        default=None,
        help="give the guest its data on a disk (the default)",
    )
    drive.add_argument(
        "--no-config-drive", dest="config_drive", action="store_false", help="give it none"
    )
    parser.add_argument("--config-drive-format", choices=("config-2", "nocloud"))
    parser.add_argument(
        "--disk-config",
        choices=("AUTO", "MANUAL"),
        help="whether the guest grows its root file system over the whole disk",
    )


def _add_placement(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--availability-zone", metavar="ZONE[:HOST]")
    parser.add_argument("--host", help="build there and nowhere else; a policy must allow it")
    parser.add_argument(
        "--hint",
        action="append",
        default=[],
        type=parsing.pair,
        metavar="KEY=VALUE",
        help="for the scheduler: group, same_host, different_host, query, ...; may be repeated",
    )
    parser.add_argument("--server-group", metavar="GROUP", help="the same as --hint group=GROUP")
    parser.add_argument(
        "--shutdown-terminate",
        action="store_true",
        default=None,
        help="delete the instance once its guest powers itself off",
    )


def _plain(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options that are fields as they stand."""
    booted_by_volume = arguments.boot_from_volume is not None
    return {
        "name": arguments.name,
        "image": None if booted_by_volume else arguments.image,
        "flavor": arguments.flavor,
        "description": arguments.description,
        "hostname": arguments.hostname,
        "kernel": arguments.kernel,
        "ramdisk": arguments.ramdisk,
        "min_count": arguments.min,
        "max_count": arguments.max,
        "idempotency_key": arguments.idempotency_key,
        "access_ip_v4": arguments.access_ip_v4,
        "access_ip_v6": arguments.access_ip_v6,
        "config_drive": arguments.config_drive,
        "config_drive_format": arguments.config_drive_format,
        "disk_config": arguments.disk_config,
        "shutdown_terminate": arguments.shutdown_terminate,
    }


def _guest_data(arguments: argparse.Namespace) -> dict[str, Any]:
    """What is read from files, or is secret."""
    key, password, user_data = arguments.key, arguments.password, None
    if arguments.key_file is not None:
        key = parsing.text(arguments.key_file, _MAX_KEY)
    if arguments.password_file is not None:
        password = parsing.text(arguments.password_file, _MAX_PASSWORD).rstrip("\r\n")
    if arguments.user_data is not None:
        user_data = parsing.content(arguments.user_data, _MAX_USER_DATA)
    files = [
        {"path": path, "content": parsing.content(file, _MAX_FILE)} for path, file in arguments.file
    ]
    return {
        "key": key,
        "key_name": arguments.key_name,
        "admin_password": password,
        "user_data": user_data,
        "injected_files": files,
    }


def _networks(wishes: list[dict[str, str]]) -> Any:
    """A list of interfaces, or one of the words that stand for one."""
    words = [{"network": word} for word in ("auto", "none")]
    return wishes[0]["network"] if len(wishes) == 1 and wishes[0] in words else wishes


def _boot_volume(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    if arguments.boot_from_volume is None:
        return []
    if arguments.image is None:
        raise InvalidRequest("--boot-from-volume needs --image: what the volume begins as")
    return [{"image": arguments.image, "size": arguments.boot_from_volume, "boot_index": 0}]


def _local_disks(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    blank = {"source_type": "blank", "destination_type": "local"}
    disks = [blank | disk for disk in arguments.ephemeral]
    if arguments.swap is not None:
        disks.append(blank | {"guest_format": "swap", "volume_size": arguments.swap})
    return disks


def _zone(arguments: argparse.Namespace) -> str | None:
    zone: str | None = arguments.availability_zone
    if arguments.host is None:
        return zone
    if zone is not None and ":" in zone:
        raise InvalidRequest("--host and --availability-zone both name a host")
    return f"{zone or ''}:{arguments.host}"


def _hints(arguments: argparse.Namespace) -> dict[str, Any]:
    """Hints by name; one that is given several times has several values."""
    hints: dict[str, Any] = {}
    for name, value in arguments.hint:
        hints.setdefault(name, []).append(value)
    if arguments.server_group is not None:
        hints.setdefault("group", []).append(arguments.server_group)
    return {name: values[0] if len(values) == 1 else values for name, values in hints.items()}
