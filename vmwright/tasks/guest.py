"""Tasks that bring a guest to life and end it."""

from collections.abc import Sequence
from typing import Any

from vmwright.backends.guest_data import Layout, config_drive
from vmwright.backends.host import Host
from vmwright.backends.hypervisor import Disk, Guest, Nic
from vmwright.backends.removal import Kind, Removal
from vmwright.backends.volumes import Volume
from vmwright.ids import Mark, OperationId, base_name, volume_name
from vmwright.request.block_devices import SWAP
from vmwright.spec import DiskSpec, ImageSpec, NicSpec, Spec
from vmwright.states import PowerState, TaskState
from vmwright.tasks.block_devices import FORMAT
from vmwright.tasks.image import GIB, base_of
from vmwright.tasks.seeds import secrets_of, seed_of
from vmwright.tasks.task import RemovingTask, Run, Task

_LAST = float("inf")
_ZONE = "nova"  # of hosts that were claimed before their zone was handed on
_MIB = 2**20


class Spawn(Task):
    """Make the disks that live and die with the guest, define it and see it run."""

    task_name = "spawn"
    task_state = TaskState.SPAWNING
    gives_back = "guest, its local disks and config drive"
    default_provides = "power_state"

    def execute(
        self,
        run: Run,
        spec: Spec,
        host: dict[str, Any],
        base_image: dict[str, Any] | None,
        network_info: list[dict[str, Any]],
        interfaces: list[dict[str, Any]],
        block_devices: list[dict[str, Any]],
    ) -> int:
        place = self._means.backend.host(host["uri"])
        if self._runs(run, place):
            return int(PowerState.RUNNING)
        local = [self._local_disk(run, disk, place) for disk in _in_order(spec.disks)]
        if spec.image is not None and base_image is not None:
            local.insert(0, self._root_disk(run, spec, spec.image, place))
        disks = in_order(local, [Disk(**device) for device in block_devices])
        if spec.config_drive:
            zone = host.get("zone", _ZONE)
            disks.append(self._config_drive(run, spec, place, network_info, zone))
        guest = Guest(
            instance=run.instance,
            title=spec.name,
            vcpus=spec.vcpus,
            memory_mib=spec.ram_mib,
            disks=tuple(disks),
            nics=tuple(_nic(*plugged) for plugged in zip(spec.nics, interfaces, strict=True)),
            kernel=self._cached(run, place, spec.kernel),
            ramdisk=self._cached(run, place, spec.ramdisk),
        )
        place.hypervisor.ensure_domain(guest, run.mark, run.wait)
        return int(place.hypervisor.ensure_running(run.instance, run.mark, run.wait))

    def revert(self, run: Run, spec: Spec, host: dict[str, Any], **_: Any) -> None:
        run.remove(self._means.backend, host, _remains(run, spec, [run.mark]))

    def _runs(self, run: Run, place: Host) -> bool:
        """Whether a run before us came this far: then no disk may be touched any more."""
        found = place.hypervisor.find_domain(run.instance, run.wait)
        if found is None or not run.whose.covers(found.mark):
            return False
        return found.power_state is PowerState.RUNNING

    def _root_disk(self, run: Run, spec: Spec, image: ImageSpec, place: Host) -> Disk:
        base = base_of(image)
        place.volumes.ensure_base(base, self._means.images.path(image.location), run.wait)
        size = max(spec.root_gib * GIB, image.virtual_size_bytes)
        name = volume_name(run.mark, "root", FORMAT)
        volume = Volume(name=name, disk_format=FORMAT, size_bytes=size, base=base)
        place.volumes.ensure_volume(volume, run.wait)
        taken = any(wish.boot_index == 0 for wish in spec.volumes)
        return Disk(
            volume=name,
            disk_format=FORMAT,
            serial="root",
            bus=spec.root_bus,
            boot_index=None if taken else 0,
        )

    def _local_disk(self, run: Run, wish: DiskSpec, place: Host) -> Disk:
        name = volume_name(run.mark, wish.role, FORMAT)
        volume = Volume(name=name, disk_format=FORMAT, size_bytes=wish.size_mib * _MIB)
        place.volumes.ensure_volume(volume, run.wait)
        return Disk(volume=name, disk_format=FORMAT, serial=wish.role, bus=wish.bus)

    def _config_drive(
        self,
        run: Run,
        spec: Spec,
        place: Host,
        network_info: list[dict[str, Any]],
        zone: str,
    ) -> Disk:
        secrets = secrets_of(self._means.stores, spec)
        seed = seed_of(run.instance, spec, network_info, secrets, zone=zone)
        content = config_drive(seed, Layout(spec.config_drive_format))
        name = volume_name(run.mark, "config", "raw")
        place.volumes.ensure_content(name, content, run.wait)
        return Disk(volume=name, disk_format="raw", serial="config-2", read_only=True)

    def _cached(self, run: Run, place: Host, image: ImageSpec | None) -> str | None:
        if image is None:
            return None
        base = base_of(image)
        place.volumes.ensure_base(base, self._means.images.path(image.location), run.wait)
        return base_name(run.mark.deployment, base.sha256, base.disk_format)


class DestroyGuest(RemovingTask):
    """Switch the guest off for good and remove the disks that live and die with it."""

    task_name = "destroy_guest"

    def execute(
        self, run: Run, spec: Spec, host: dict[str, Any] | None, marks: list[dict[str, Any]]
    ) -> None:
        if host is None:
            return
        makers = [
            Mark(
                deployment=run.mark.deployment,
                instance=run.instance,
                operation=OperationId(mark["operation"]),
                attempt=mark["attempt"],
            )
            for mark in marks
        ]
        run.remove(self._means.backend, host, _remains(run, spec, makers))


def _nic(wish: NicSpec, interface: dict[str, Any]) -> Nic:
    return Nic(network=wish.network, mac=interface["mac"], kind=wish.kind, source=wish.source)


def in_order(local: Sequence[Disk], volumes: Sequence[Disk]) -> list[Disk]:
    """What boots first, then the guest's own disks, then its volumes as they were asked for.

    Guests give disks their names in this order.
    """
    return sorted(
        [*local, *volumes],
        key=lambda disk: _LAST if disk.boot_index is None else disk.boot_index,
    )


def _in_order(disks: Sequence[DiskSpec]) -> list[DiskSpec]:
    """Ephemeral disks as they were asked for, then swap."""
    return sorted(disks, key=lambda disk: disk.role == SWAP)


def _remains(run: Run, spec: Spec, makers: list[Mark]) -> list[Removal]:
    """The domain, then its disks: a disk is not removed under a guest that runs."""
    roles = [("config", "raw"), *((disk.role, FORMAT) for disk in spec.disks)]
    if spec.image is not None:
        roles.insert(0, ("root", FORMAT))
    found = [Removal(kind=Kind.DOMAIN, key=run.instance, whose=run.whose)]
    for maker in makers:
        for role, disk_format in roles:
            name = volume_name(maker, role, disk_format)
            found.append(Removal(kind=Kind.VOLUME, key=name, whose=run.whose))
    return found
