"""A real libvirt host for contract tests, reached past vmwright through libvirt itself."""

import hashlib
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Network

import libvirt

from tests.support.libvirt_backends import opened
from tests.support.private_host import PrivateHost
from vmwright.backends.host import Backend, Host
from vmwright.ids import (
    DeploymentId,
    InstanceId,
    Mark,
    NetworkId,
    OperationId,
    Whose,
    new_id,
    pool_name,
    volume_name,
)
from vmwright.waiting import Wait

_CHUNK = 1 << 18
_LIVE_AND_CONFIG = libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE | libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG


@dataclass
class LibvirtPlace:
    """One libvirt host, and a deployment of its own on it."""

    backend: Backend
    connection: libvirt.virConnect
    machine: PrivateHost
    bridges: set[str] = field(default_factory=set)

    @classmethod
    @contextmanager
    def at(cls, machine: PrivateHost) -> Iterator["LibvirtPlace"]:
        """The libvirt of this host; what was made on it is gone afterwards."""
        with opened(machine.uri, DeploymentId(new_id())) as backend:
            place = cls(backend, libvirt.open(machine.uri), machine)
            try:
                yield place
            finally:
                place.clean()
                place.connection.close()

    @property
    def host(self) -> Host:
        return self.backend.host(self.backend.default_uri)

    def put_domain(self, uuid: str, name: str) -> None:
        domain = ET.Element("domain", type="qemu")
        ET.SubElement(domain, "uuid").text = uuid
        ET.SubElement(domain, "name").text = name
        ET.SubElement(domain, "memory", unit="MiB").text = "64"
        kind = ET.SubElement(ET.SubElement(domain, "os"), "type", arch="x86_64", machine="q35")
        kind.text = "hvm"
        self.connection.defineXML(ET.tostring(domain, "unicode"))

    def put_volume(self, name: str) -> None:
        self._ensure_pool()
        volume = ET.Element("volume")
        ET.SubElement(volume, "name").text = name
        ET.SubElement(volume, "capacity", unit="bytes").text = "512"
        ET.SubElement(ET.SubElement(volume, "target"), "format", type="raw")
        self._pool().createXML(ET.tostring(volume, "unicode"))

    def put_bridge(self, name: str) -> None:
        self.machine.run("ip", "link", "add", name, "type", "bridge")
        self.machine.run("ip", "link", "set", name, "up")
        self.bridges.add(name)

    def put_libvirt_network(self, name: str) -> None:
        self._put_network(name, new_id(), "192.168.122.0/24")

    def libvirt_network(self, name: str) -> str:
        return self.connection.networkLookupByName(name).XMLDesc(0)

    def put_network(self, uuid: str, cidr: str) -> None:
        self._put_network("stranger", uuid, cidr)

    def _put_network(self, name: str, uuid: str, cidr: str) -> None:
        subnet = IPv4Network(cidr)
        network = ET.Element("network")
        ET.SubElement(network, "name").text = name
        ET.SubElement(network, "uuid").text = uuid
        ET.SubElement(network, "bridge", name=f"{name}0")
        ET.SubElement(network, "ip", address=str(subnet[1]), netmask=str(subnet.netmask))
        self.connection.networkDefineXML(ET.tostring(network, "unicode")).create()

    def put_reservation(self, network: NetworkId, mac: str, ip: str) -> None:
        entry = ET.Element("host", mac=mac, name="stranger", ip=ip)
        self.connection.networkLookupByUUIDString(network).update(
            libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST,
            libvirt.VIR_NETWORK_SECTION_IP_DHCP_HOST,
            -1,
            ET.tostring(entry, "unicode"),
            _LIVE_AND_CONFIG,
        )

    def digest_of(self, volume: str) -> str:
        stream = self.connection.newStream()
        self._pool().storageVolLookupByName(volume).download(stream, 0, 0, 0)
        digest = hashlib.sha256()
        while chunk := stream.recv(_CHUNK):
            digest.update(chunk)
        stream.finish()
        return digest.hexdigest()

    def clean(self) -> None:
        for domain in self.connection.listAllDomains():
            if domain.isActive():
                domain.destroy()
            domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)
        for pool in self.connection.listAllStoragePools():
            for volume in pool.listAllVolumes() if pool.isActive() else ():
                volume.delete()
        for network in self.connection.listAllNetworks():
            if network.isActive():
                network.destroy()
            if network.isPersistent():
                network.undefine()
        for bridge in self.bridges:
            self.machine.run("ip", "link", "delete", bridge)
        self.bridges.clear()

    def _pool(self) -> libvirt.virStoragePool:
        return self.connection.storagePoolLookupByName(pool_name(self.backend.deployment))

    def _ensure_pool(self) -> None:
        """Have the backend make its pool, as it does for the first volume."""
        mark = Mark(
            deployment=self.backend.deployment,
            instance=InstanceId(new_id()),
            operation=OperationId(new_id()),
            attempt=1,
        )
        whose = Whose(deployment=mark.deployment, instance=mark.instance)
        name = volume_name(mark, "first", "raw")
        self.host.volumes.ensure_content(name, b"first", Wait(120))
        self.host.volumes.ensure_no_volume(name, whose, Wait(120))
