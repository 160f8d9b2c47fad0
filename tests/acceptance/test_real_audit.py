"""An audit on a real libvirt host, among what others have there. Read with virsh, past vmwright."""

import json
import sqlite3
import xml.etree.ElementTree as ET
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.support.installed import Installed
from tests.support.seeded import nobody, other_deployment
from vmwright.ids import (
    DeploymentId,
    InstanceId,
    Mark,
    OperationId,
    base_name,
    mark_of_volume,
    new_id,
    reservation_name,
    volume_name,
)

pytestmark = [pytest.mark.libvirt, pytest.mark.slow]

OWNER = "urn:vmwright:owner:1"
BUILD = ("--image", "demo", "--flavor", "small", "--network", "net1")


@dataclass
class Real:
    """A deployment on a real host, and hands that reach past it."""

    installed: Installed

    def virsh(self, *words: str) -> str:
        return self.installed.host.virsh(*words)

    @property
    def deployment(self) -> DeploymentId:
        return DeploymentId(self.value("SELECT id FROM vmwright_deployment"))

    @property
    def pool(self) -> str:
        return f"vmwright-{self.deployment}"

    @property
    def network(self) -> str:
        return self.value("SELECT id FROM vmwright_networks")

    def value(self, query: str, *values: str) -> str:
        with closing(sqlite3.connect(self.installed.home / "vmwright.db")) as connection:
            return str(connection.execute(query, values).fetchone()[0])

    def mark_of(self, name: str) -> Mark:
        instance = self.value("SELECT id FROM vmwright_instances WHERE name = ?", name)
        operation = "SELECT id FROM vmwright_operations WHERE instance_id = ? AND kind = 'create'"
        return Mark(
            deployment=self.deployment,
            instance=InstanceId(instance),
            operation=OperationId(self.value(operation, instance)),
            attempt=1,
        )

    # What is put there.

    def domain(self, mark: Mark | None, *, nvram: bool = False) -> str:
        uuid = mark.instance if mark else new_id()
        domain = ET.Element("domain", type="qemu")
        ET.SubElement(domain, "name").text = f"seeded-{uuid}"
        ET.SubElement(domain, "uuid").text = uuid
        ET.SubElement(domain, "memory", unit="MiB").text = "16"
        system = ET.SubElement(domain, "os")
        ET.SubElement(system, "type", arch="x86_64", machine="q35").text = "hvm"
        if nvram:
            loader = ET.SubElement(system, "loader", readonly="yes", type="pflash")
            loader.text = self.put_file("code.fd")
            ET.SubElement(system, "nvram").text = self.put_file("vars.fd")
            ET.SubElement(ET.SubElement(domain, "features"), "acpi")
        if mark:
            values = {key: str(value) for key, value in mark.to_store().items()}
            ET.SubElement(ET.SubElement(domain, "metadata"), f"{{{OWNER}}}owner", values)
        self.define("define", ET.tostring(domain, encoding="unicode"))
        return uuid

    def volume(self, name: str, pool: str | None = None) -> str:
        self.virsh("vol-create-as", pool or self.pool, name, "1M", "--format", "raw")
        return name

    def reservation(self, mark: Mark | None, number: int) -> str:
        mac, ip = f"52:54:00:77:00:{number:02x}", f"10.77.0.{number}"
        name = reservation_name("guest", mac, mark) if mark else "stranger"
        entry = ET.tostring(ET.Element("host", mac=mac, name=name, ip=ip), encoding="unicode")
        self.virsh("net-update", self.network, "add", "ip-dhcp-host", entry, "--live", "--config")
        return mac

    def strange_network(self, *, ours: bool) -> str:
        uuid = new_id()
        network = ET.Element("network")
        ET.SubElement(network, "name").text = f"seeded-{uuid}"
        ET.SubElement(network, "uuid").text = uuid
        if ours:
            metadata = ET.SubElement(network, "metadata")
            ET.SubElement(metadata, f"{{{OWNER}}}owner", deployment=self.deployment)
        self.define("net-define", ET.tostring(network, encoding="unicode"))
        return uuid

    def others_pool(self) -> str:
        """Another deployment's, with a disk of an instance in it."""
        deployment = DeploymentId(new_id())
        directory = f"/var/lib/libvirt/vmwright/{deployment}"
        name = f"vmwright-{deployment}"
        self.virsh("pool-create-as", name, "dir", "--target", directory, "--build")
        return self.volume(volume_name(nobody(deployment), "root", "raw"), name)

    def put_file(self, name: str) -> str:
        path = f"/var/lib/libvirt/{name}"
        self.installed.host.run("sh", "-c", f"head -c 1000 /dev/urandom > {path}")
        return path

    def define(self, verb: str, xml: str) -> None:
        path = "/var/lib/libvirt/seeded.xml"
        self.installed.host.run("sh", "-c", 'printf %s "$1" > "$2"', "-", xml, path)
        self.virsh(verb, path)

    # What an outsider sees.

    def everything(self) -> dict[str, str]:
        """Each thing of the host in its own words."""
        found = {}
        for uuid in self.virsh("list", "--all", "--uuid").split():
            found[uuid] = self.virsh("dumpxml", uuid)
        for uuid in self.virsh("net-list", "--all", "--uuid").split():
            found[uuid] = self.virsh("net-dumpxml", uuid)
        for host in ET.fromstring(found[self.network]).iter("host"):
            found[host.get("mac", "")] = ET.tostring(host, encoding="unicode").strip()
        del found[self.network]
        paths = ["/var/lib/libvirt/code.fd", "/var/lib/libvirt/vars.fd"]
        for pool in self.virsh("pool-list", "--name").split():
            listed = [line.split() for line in self.virsh("vol-list", pool).splitlines()]
            found |= dict.fromkeys((name for name, _ in listed), "")
            # The disks of a guest that runs change by themselves.
            paths += [path for name, path in listed if mark_of_volume(name) != self.living]
        sums = self.installed.host.run("sh", "-c", 'sha256sum "$@" || true', "-", *paths)
        for digest, path in (line.split() for line in sums.splitlines()):
            found[path.rpartition("/")[2]] = digest
        return found

    @property
    def living(self) -> Mark:
        return self.mark_of("lives")

    def audit(self, *words: str, expect: int) -> list[dict[str, Any]]:
        output = self.installed.run("audit", *words, "-f", "json", expect=expect)
        found: list[dict[str, Any]] = json.loads(output)
        return found


@pytest.fixture(scope="module")
def real(installed: Installed) -> Real:
    with (installed.home / "vmwright.conf").open("a") as configuration:
        configuration.write("[audit]\nbase_age = 0\n")
    installed.run("create", "lives", *BUILD, "-q")
    installed.run("create", "gone", *BUILD, "-q")
    real = Real(installed)
    installed.run("delete", "gone", "-q")
    assert real.audit(expect=0) == []
    return real


def seeded(real: Real) -> dict[str, set[str]]:
    """What is there now, by what an audit should think of it."""
    gone, living = real.mark_of("gone"), real.living
    half = base_name(real.deployment, "a" * 64, "raw")
    only_marker = base_name(real.deployment, "b" * 64, "raw")
    real.volume(f"{only_marker}.whole")
    real.others_pool()
    return {
        "leftover": {
            real.domain(gone, nvram=True),
            real.volume(volume_name(gone, "root", "qcow2")),
            real.volume(volume_name(gone, "config", "raw")),
            real.reservation(gone, 101),
            real.volume(half),
            only_marker,
        },
        "unknown": {
            real.domain(nobody(real.deployment)),
            real.volume(volume_name(nobody(real.deployment), "root", "qcow2")),
            real.reservation(nobody(real.deployment), 102),
            real.strange_network(ours=True),
            real.volume(
                volume_name(replace(living, operation=OperationId(new_id())), "root", "qcow2")
            ),
        },
        "foreign": {
            real.domain(None),
            real.domain(other_deployment(nobody(real.deployment))),
            real.volume("stranger.raw"),
            real.volume(volume_name(other_deployment(living), "root", "qcow2")),
            real.reservation(None, 103),
            real.reservation(other_deployment(living), 104),
        },
    }


def test_only_what_is_left_over_goes_from_a_real_host(real: Real) -> None:
    made = seeded(real)
    real.strange_network(ours=False)
    before = real.everything()

    found = real.audit("--all", expect=3)
    for verdict, keys in made.items():
        told = {one["key"] for one in found if one["verdict"] == verdict and one["kind"] != "lease"}
        assert told == {key for known in told for key in (known,) if _is_of(known, keys)}, verdict
        assert all(any(_is_of(known, {key}) for known in told) for key in keys), verdict
    assert real.everything() == before

    done = real.audit("--repair", expect=3)

    after = real.everything()
    gone = {key for key in before if key not in after or after[key] != before[key]}
    marker = base_name(real.deployment, "b" * 64, "raw")
    expected = (made["leftover"] - {marker}) | {f"{marker}.whole", "vars.fd"}
    assert gone == expected
    assert {one["outcome"] for one in done if one["verdict"] == "leftover"} == {"removed"}
    assert real.virsh("domstate", real.living.instance).strip() == "running"

    adopted = real.audit("--repair", "--adopt-unknown", expect=0)
    assert {one["verdict"] for one in adopted} == {"unknown"}
    last = real.everything()
    assert {key for key in after if key not in last} == made["unknown"]
    assert {key: after[key] for key in last} == last


def _is_of(told: str, keys: set[str]) -> bool:
    """Whether the key that an audit names is one of these; those of addresses hold more."""
    return any(key in (told, *told.split("/")) for key in keys)
