"""The config drive: what a guest is told at its first boot, as the bytes of a disk. Pure.

An ISO 9660 file system with Joliet and Rock Ridge, label ``config-2``, laid out as OpenStack's
version 2, which cloud-init and its relatives read. The same `Seed` always gives the same bytes:
a repeated build writes what it wrote before.
"""

import io
import itertools
import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pycdlib

from vmwright.ids import InstanceId, NetworkId, PortId

LABEL = "config-2"
"""What guests find the drive by."""

VERSIONS = ("2018-08-27", "latest")
"""The directories under ``openstack``; all hold the same."""

_SECTOR = 2048
_FIRST_DESCRIPTOR, _LAST_KIND = 16, 255
_ROOT_RECORD = slice(156, 190)
_LONG_DATES = (813, 830, 864)
_LONG_DATE = b"2018082700000000\x00"
_SHORT_DATE = bytes((118, 8, 27, 0, 0, 0, 0))
_FILE_MODE = 0o100444
_DIRECTORY = 2
_SELF_AND_PARENT = (b"\x00", b"\x01")


@dataclass(frozen=True, kw_only=True)
class SeedNic:
    """One interface that gets its address by DHCP."""

    port: PortId
    mac: str
    network: NetworkId
    mtu: int = 1500


@dataclass(frozen=True, kw_only=True)
class Seed:
    """What a guest is told about itself."""

    instance: InstanceId
    name: str
    hostname: str
    project: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    public_keys: Mapping[str, str] = field(default_factory=dict)
    """The text of each ssh public key, by its name."""
    nics: tuple[SeedNic, ...] = ()
    user_data: bytes | None = field(default=None, repr=False)


def config_drive(seed: Seed) -> bytes:
    """The disk, to be attached read-only in raw format."""
    files = {
        "meta_data.json": _as_json(meta_data(seed)),
        "network_data.json": _as_json(network_data(seed)),
    }
    if seed.user_data is not None:
        files["user_data"] = seed.user_data
    image = bytearray(_iso(files))
    _fix_dates(image)
    return bytes(image)


def meta_data(seed: Seed) -> dict[str, Any]:
    """What ``meta_data.json`` says. No random seed: the drive must not differ from the last."""
    said: dict[str, Any] = {
        "uuid": seed.instance,
        "hostname": seed.hostname,
        "name": seed.name,
        "launch_index": 0,
        "availability_zone": "nova",
        "project_id": seed.project,
        "meta": dict(sorted(seed.metadata.items())),
    }
    if seed.public_keys:
        keys = sorted(seed.public_keys.items())
        said["public_keys"] = dict(keys)
        said["keys"] = [{"name": name, "type": "ssh", "data": key} for name, key in keys]
    return said


def network_data(seed: Seed) -> dict[str, Any]:
    """What ``network_data.json`` says: exactly links, networks and services."""
    nics = list(enumerate(seed.nics))
    return {
        "links": [
            {
                "id": f"nic{position}",
                "vif_id": nic.port,
                "type": "phy",
                "ethernet_mac_address": nic.mac,
                "mtu": nic.mtu,
            }
            for position, nic in nics
        ],
        "networks": [
            {
                "id": f"network{position}",
                "link": f"nic{position}",
                "network_id": nic.network,
                "type": "ipv4_dhcp",
            }
            for position, nic in nics
        ],
        "services": [],
    }


def _as_json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, indent=2).encode() + b"\n"


def _iso(files: Mapping[str, bytes]) -> bytes:
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=3, vol_ident=LABEL, joliet=3, rock_ridge="1.09")
    iso.add_directory("/OPENSTACK", rr_name="openstack", joliet_path="/openstack")
    for version in VERSIONS:
        directory = f"/OPENSTACK/{_upper(version)}"
        joliet = f"/openstack/{version}"
        iso.add_directory(directory, rr_name=version, joliet_path=joliet)
        for name, content in files.items():
            iso.add_fp(
                io.BytesIO(content),
                len(content),
                f"{directory}/{_upper(name)};1",
                rr_name=name,
                joliet_path=f"{joliet}/{name}",
                file_mode=_FILE_MODE,
            )
    written = io.BytesIO()
    iso.write_fp(written)
    iso.close()
    return written.getvalue()


def _upper(name: str) -> str:
    """The name as ISO 9660 allows it, for readers that know neither extension."""
    return name.upper().replace("-", "_")


def _fix_dates(image: bytearray) -> None:
    """Overwrite every date: the library writes the time of day, in the local time zone."""
    view = memoryview(image)
    for number in itertools.count(_FIRST_DESCRIPTOR):
        descriptor = view[number * _SECTOR : (number + 1) * _SECTOR]
        if descriptor[0] == _LAST_KIND:
            return
        for offset in _LONG_DATES:
            descriptor[offset : offset + len(_LONG_DATE)] = _LONG_DATE
        for record in _records(view, descriptor[_ROOT_RECORD]):
            record[18:25] = _SHORT_DATE
            _fix_rock_ridge_dates(record)


def _records(view: memoryview, directory: memoryview) -> Iterator[memoryview]:
    """The record of a directory and, below it, of everything that it holds."""
    yield directory
    start, length = _extent(directory)
    offset = start
    while offset < start + length:
        size = view[offset]
        if size == 0:  # records do not cross sectors: the rest of this one is empty
            offset += _SECTOR - offset % _SECTOR
            continue
        record = view[offset : offset + size]
        offset += size
        if record[25] & _DIRECTORY and bytes(record[33 : 33 + record[32]]) not in _SELF_AND_PARENT:
            yield from _records(view, record)
        else:
            yield record


def _extent(record: memoryview) -> tuple[int, int]:
    """Where what the record stands for begins, and its length, in bytes."""
    block, length = struct.unpack_from("<I4xI", record, 2)
    return block * _SECTOR, length


def _fix_rock_ridge_dates(record: memoryview) -> None:
    offset = 33 + record[32]
    offset += offset % 2
    while offset + 4 <= len(record):
        length = record[offset + 2]
        if length < 4:
            return
        if bytes(record[offset : offset + 2]) == b"TF":
            for date in range(offset + 5, offset + length, len(_SHORT_DATE)):
                record[date : date + len(_SHORT_DATE)] = _SHORT_DATE
        offset += length
