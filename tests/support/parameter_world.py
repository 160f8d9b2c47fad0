"""A store with something of everything that a request may name, for cases that name it."""

from pathlib import Path

from tests.support.command_line import CommandLine, stocked
from tests.support.rows import (
    a_key_pair,
    a_security_group,
    a_server_group,
    a_volume,
    an_attachment,
)
from vmwright.controller import Controller
from vmwright.ids import FlavorId, InstanceId, OperationId, SnapshotId, new_id
from vmwright.persistence.database import Database
from vmwright.persistence.records import Flavor, Snapshot
from vmwright.persistence.stores import Stores
from vmwright.request import CreateRequest
from vmwright.settings import Settings
from vmwright.waiting import Wait

BUSY_IP, BUSY_MAC = "10.9.0.9", "52:54:00:00:00:09"

SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFakeFakeFake= someone@somewhere"

FILES = {
    "script": b"#!/bin/sh\n",
    "too-much": b"x" * 65536,
    "too-long": b"x" * 10241,
    "key.pub": SSH_KEY.encode(),
}
"""Files that users hand in, by name."""


def stocked_with_everything(directory: Path) -> CommandLine:
    """`stocked`, and in it whatever the cases of the parameters name. Nothing was built."""
    command = stocked(directory)
    for name, content in FILES.items():
        (directory / name).write_bytes(content)
    with Controller(Settings.from_files(str(command.file))) as controller:
        _register(controller, directory / "disk.raw")
        request = CreateRequest.parse(name="there", image="disk", flavor="small")
        there = controller.submit(request)
        controller.submit(request.model_copy(update={"name": "keyed", "idempotency_key": "used"}))
        database = Database.open(controller.settings.database)
    _fill(Stores.of(database, directory / "state" / "key"), there.instance_id, there.id)
    database.close()
    return command


def _register(controller: Controller, source: Path) -> None:
    inventory, wait = controller.inventory, Wait(10)
    inventory.create_image("large", source, "raw", min_disk_gib=2, wait=wait)
    inventory.create_image("hungry", source, "raw", min_ram_mib=65, wait=wait)
    for name in ("fixed", "insists", "direct", "vast"):
        inventory.create_image(name, source, "raw", wait=wait)
    inventory.ports.create("free", "lan")
    inventory.ports.create("busy", "lan", ip=BUSY_IP, mac=BUSY_MAC)
    inventory.create_volume("data", size_gib=1)
    inventory.create_volume("busy", size_gib=1)
    inventory.create_host("away", "simulated:///away", zone="far")
    inventory.disable_host("away", "repairs")


def _fill(stores: Stores, instance: InstanceId, operation: OperationId) -> None:
    """What no command makes, or not so quickly."""
    with stores.database.write() as connection:
        images, flavors = stores.registries.images, stores.registries.flavors
        disk = images.find(connection, "disk")
        for name, values in {
            "fixed": {"properties": {"auto_disk_config": "false"}},
            "insists": {"properties": {"img_config_drive": "mandatory"}},
            "direct": {"properties": {"kernel_id": disk.id, "ramdisk_id": disk.id}},
            "vast": {"virtual_size_bytes": 3 * 2**30},
        }.items():
            images.change(connection, images.find(connection, name).id, **values)
        for name, values in {
            "off": {"enabled": False},
            "diskless": {"disk_gib": 0},
            "wide": {"ephemeral_gib": 4, "swap_mib": 512},
        }.items():
            size = {"vcpus": 1, "ram_mib": 64, "disk_gib": 1} | values
            flavors.add(connection, Flavor(id=FlavorId(new_id()), name=name, **size))
        port = stores.ports.find(connection, "default", "busy")
        stores.ports.bind(connection, port.id, instance=instance, operation=operation, position=0)
        for volume in (
            a_volume(name="bootable", bootable=True, image_id=disk.id),
            a_volume(name="another's", project_id="another"),
        ):
            stores.volumes.add(connection, volume)
        busy = stores.volumes.find(connection, "busy")
        stores.volumes.attach(connection, an_attachment(busy.id, instance, operation))
        data = stores.volumes.find(connection, "data").id
        host = stores.registries.hosts.find(connection, "host1").id
        for name, bootable in (("snap", False), ("bootsnap", True)):
            snapshot = Snapshot(
                id=SnapshotId(new_id()),
                project_id="default",
                name=name,
                volume_id=data,
                size_gib=2,
                host_id=host,
                location=f"{name}.qcow2",
                bootable=bootable,
            )
            stores.snapshots.add(connection, snapshot)
        stores.key_pairs.add(connection, a_key_pair(name="mine", public_key=SSH_KEY))
        stores.security_groups.add(connection, a_security_group(name="web"))
        for name in ("apart", "full"):
            group = a_server_group(name=name)
            stores.server_groups.add(connection, group)
        stores.server_groups.add_members(connection, [(group.id, instance)])
