"""The guest of somebody who has no vmwright: by libvirt-python, and by virt-install."""

import subprocess
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Self

import libvirt

from vmwright.backends.libvirt.xml_text import parsed

GIB = 2**30
_UPDATE = libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE | libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG
_HOST = libvirt.VIR_NETWORK_SECTION_IP_DHCP_HOST
_NUMBERS = count(1)


@dataclass(frozen=True, kw_only=True)
class Model:
    """A guest that is there, as libvirt describes it: what others are built like."""

    uri: str
    xml: str
    pool: str
    network: str
    base: str
    root_bytes: int
    config: bytes

    @classmethod
    def of(cls, uri: str, instance: str) -> Self:
        connection = libvirt.open(uri)
        xml = connection.lookupByUUIDString(instance).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
        root, _data, config = parsed(xml).iterfind("devices/disk")
        volume = connection.storageVolLookupByPath(_file(config, "source"))
        stream, content = connection.newStream(), bytearray()
        volume.download(stream, 0, 0)
        while piece := stream.recv(1 << 18):
            content += piece
        stream.finish()
        model = cls(
            uri=uri,
            xml=xml,
            pool=volume.storagePoolLookupByVolume().name(),
            network=_attribute(parsed(xml), "devices/interface/source", "network"),
            base=_file(root, "backingStore/source"),
            root_bytes=connection.storageVolLookupByPath(_file(root, "source")).info()[1],
            config=bytes(content),
        )
        connection.close()
        return model


@dataclass(frozen=True, kw_only=True)
class Names:
    """What one guest's things are called."""

    uuid: str
    mac: str
    ip: str

    @classmethod
    def next(cls) -> Self:
        number = next(_NUMBERS)
        ip = f"10.77.{128 + number // 250}.{1 + number % 250}"
        return cls(
            uuid=str(uuid.uuid4()), mac=f"52:54:00:ba:{number >> 8:02x}:{number & 255:02x}", ip=ip
        )

    def volume(self, role: str) -> str:
        return f"{self.uuid}.{role}"

    @property
    def reservation(self) -> str:
        return f"<host mac='{self.mac}' name='{self.uuid}' ip='{self.ip}'/>"


class Bare:
    """The calls that a guest cannot do without, in order, and no look at anything."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._connection = libvirt.open(model.uri)
        self._pool = self._connection.storagePoolLookupByName(model.pool)
        self._network = self._connection.networkLookupByName(model.network)

    def build(self, names: Names) -> None:
        model, pool = self._model, self._pool
        data = pool.createXML(_volume(names.volume("data"), "qcow2", GIB))
        self._network.update(
            libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, _HOST, -1, names.reservation, _UPDATE
        )
        root = pool.createXML(_volume(names.volume("root"), "qcow2", model.root_bytes, model.base))
        config = pool.createXML(_volume(names.volume("config"), "raw", len(model.config)))
        stream = self._connection.newStream()
        config.upload(stream, 0, len(model.config))
        _send(stream, model.config)
        stream.finish()
        xml = _domain(model.xml, names, [root.key(), data.key(), config.key()])
        domain = self._connection.defineXMLFlags(xml, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
        domain.create()
        assert domain.state()[0] == libvirt.VIR_DOMAIN_RUNNING

    def remove(self, names: Names) -> None:
        domain = self._connection.lookupByUUIDString(names.uuid)
        domain.destroy()
        domain.undefine()
        for role in ("root", "data", "config"):
            self._pool.storageVolLookupByName(names.volume(role)).delete()
        self._network.update(
            libvirt.VIR_NETWORK_UPDATE_COMMAND_DELETE, _HOST, -1, names.reservation, _UPDATE
        )

    def close(self) -> None:
        self._connection.close()


class VirtInstall(Bare):
    """The same by the programs that come with libvirt: virsh, and virt-install --import."""

    def __init__(self, model: Model, directory: Path) -> None:
        super().__init__(model)
        self._drive = directory / "config.iso"
        self._drive.write_bytes(model.config)

    def build(self, names: Names) -> None:
        pool, root, data, config = (
            self._model.pool,
            *(names.volume(role) for role in ("root", "data", "config")),
        )
        new, size = ("vol-create-as", pool), str(len(self._model.config))
        below = ("--backing-vol", self._model.base, "--backing-vol-format", "qcow2")
        self._virsh(*new, data, str(GIB), "--allocation", "0", "--format", "qcow2")
        self._virsh(
            *("net-update", self._model.network, "add", "ip-dhcp-host", names.reservation),
            *("--live", "--config"),
        )
        bytes_ = str(self._model.root_bytes)
        self._virsh(*new, root, bytes_, "--allocation", "0", "--format", "qcow2", *below)
        self._virsh(*new, config, size, "--allocation", "0", "--format", "raw")
        self._virsh("vol-upload", config, str(self._drive), "--pool", pool)
        self._run(*self._import(names, f"{pool}/{root}", f"{pool}/{data}", f"{pool}/{config}"))
        domain = self._connection.lookupByUUIDString(names.uuid)
        assert domain.state()[0] == libvirt.VIR_DOMAIN_RUNNING

    def _import(self, names: Names, *volumes: str) -> list[str]:
        formats = zip(volumes, ("qcow2", "qcow2", "raw"), strict=True)
        disks = [
            word
            for volume, format_ in formats
            for word in ("--disk", f"vol={volume},bus=virtio,driver.type={format_}")
        ]
        return [
            *("virt-install", "--connect", self._model.uri, "--import", "--name", names.uuid),
            *("--uuid", names.uuid, "--virt-type", "qemu", "--machine", "q35", "--memory", "128"),
            *("--vcpus", "1", "--osinfo", "detect=off,require=off", *disks),
            *("--network", f"network={self._model.network},mac={names.mac},model=virtio"),
            *("--graphics", "none", "--controller", "usb,model=none", "--memballoon", "none"),
            *("--rng", "/dev/urandom", "--noautoconsole", "--wait", "0"),
        ]

    def _virsh(self, *words: str) -> None:
        self._run("virsh", "--quiet", "--connect", self._model.uri, *words)

    def _run(self, *command: str) -> None:
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)


@contextmanager
def uploads_counted() -> Iterator[list[tuple[str, int]]]:
    """Every stream into a cached image that this process begins meanwhile: its name, and bytes."""
    seen: list[tuple[str, int]] = []
    upload = libvirt.virStorageVol.upload

    def counted(volume: Any, stream: Any, offset: int, length: int, flags: int = 0) -> Any:
        if volume.name().startswith("vmw-base."):
            seen.append((volume.name(), length))
        return upload(volume, stream, offset, length, flags)

    libvirt.virStorageVol.upload = counted
    try:
        yield seen
    finally:
        libvirt.virStorageVol.upload = upload


def _volume(name: str, disk_format: str, size: int, base: str | None = None) -> str:
    below = f"<backingStore><path>{base}</path><format type='qcow2'/></backingStore>"
    return (
        f"<volume><name>{name}</name><capacity unit='bytes'>{size}</capacity>"
        "<allocation unit='bytes'>0</allocation>"
        f"<target><format type='{disk_format}'/></target>{below if base else ''}</volume>"
    )


def _domain(model: str, names: Names, paths: list[str]) -> str:
    domain = parsed(model)
    for tag, text in (("name", names.uuid), ("uuid", names.uuid)):
        _found(domain, tag).text = text
    _found(domain, "devices/interface/mac").set("address", names.mac)
    for disk, path in zip(domain.iterfind("devices/disk"), paths, strict=True):
        _found(disk, "source").set("file", path)
    return ET.tostring(domain, encoding="unicode")


def _send(stream: Any, content: bytes) -> None:
    sent = 0
    while sent < len(content):
        sent += stream.send(content[sent : sent + (1 << 18)])


def _found(element: ET.Element, path: str) -> ET.Element:
    found = element.find(path)
    assert found is not None, path
    return found


def _attribute(element: ET.Element, path: str, name: str) -> str:
    return _found(element, path).attrib[name]


def _file(disk: ET.Element, path: str) -> str:
    return _attribute(disk, path, "file")
