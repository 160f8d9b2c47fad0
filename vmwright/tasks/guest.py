"""Tasks that bring a guest to life and end it."""

from collections.abc import Mapping
from typing import Any

from vmwright.backends.guest_data import Layout, config_drive
from vmwright.backends.host import Host
from vmwright.backends.removal import Kind, Removal
from vmwright.backends.volumes import FORMAT
from vmwright.ids import Mark, OperationId, volume_name
from vmwright.spec import Spec
from vmwright.states import PowerState, TaskState
from vmwright.tasks.guest_parts import config_drive_name, guest_of, local_volumes
from vmwright.tasks.image import make_with_bases
from vmwright.tasks.seeds import secrets_of, seed_of
from vmwright.tasks.task import DISK, RemovingTask, Run, Task

_ZONE = "nova"  # of hosts that were claimed before their zone was handed on


class Spawn(Task):
    """Make the disks that live and die with the guest, define it and see it run."""

    task_name = "spawn"
    task_state = TaskState.SPAWNING
    gives_back = "guest, its local disks and config drive"
    leaves = frozenset({Kind.DOMAIN, DISK})
    default_provides = "power_state"

    def intend(self, run: Run, spec: Spec, **_: Any) -> None:
        if spec.config_drive and spec.secrets:
            secrets = self._means.stores.secrets
            run.noted[self.name] = secrets.sealed(run.connection, run.instance)

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
        del base_image  # that there is one says that all images were looked at
        self._make_disks(run, spec, place)
        if spec.config_drive:
            zone = host.get("zone", _ZONE)
            self._fill_config_drive(run, spec, place, network_info, zone)
        macs = [interface["mac"] for interface in interfaces]
        guest = guest_of(run.mark, spec, macs, block_devices)
        place.hypervisor.ensure_domain(guest, run.mark, run.wait)
        return int(place.hypervisor.ensure_running(run.instance, run.mark, run.wait))

    def revert(self, run: Run, spec: Spec, host: dict[str, Any], **_: Any) -> None:
        run.remove(self._means.backend, host, self.removals(run, spec))

    def removals(self, run: Run, spec: Spec, **_: Any) -> list[Removal]:
        return _remains(run, spec, [run.mark])

    def _runs(self, run: Run, place: Host) -> bool:
        """Whether a run before us came this far: then no disk may be touched any more."""
        found = place.hypervisor.find_domain(run.instance, run.wait)
        if found is None or not run.whose.covers(found.mark):
            return False
        return found.power_state is PowerState.RUNNING

    def _make_disks(self, run: Run, spec: Spec, place: Host) -> None:
        images = [i for i in (spec.image, spec.kernel, spec.ramdisk) if i is not None]
        volumes = local_volumes(run.mark, spec)
        make_with_bases(run, self._means.images, place.volumes, images, volumes)

    def _fill_config_drive(
        self,
        run: Run,
        spec: Spec,
        place: Host,
        network_info: list[dict[str, Any]],
        zone: str,
    ) -> None:
        sealed: Mapping[str, str | None] = run.noted.get(self.name, {})
        secrets = secrets_of(self._means.stores.secrets, spec, sealed)
        seed = seed_of(run.instance, spec, network_info, secrets, zone=zone)
        content = config_drive(seed, Layout(spec.config_drive_format))
        place.volumes.ensure_content(config_drive_name(run.mark), content, run.wait)


class DestroyGuest(RemovingTask):
    """Switch the guest off for good and remove the disks that live and die with it."""

    task_name = "destroy_guest"

    def execute(
        self, run: Run, spec: Spec, host: dict[str, Any] | None, marks: list[dict[str, Any]]
    ) -> None:
        if host is not None:
            run.remove(self._means.backend, host, self.removals(run, spec, marks))

    def removals(
        self, run: Run, spec: Spec, marks: list[dict[str, Any]], **_: Any
    ) -> list[Removal]:
        makers = [
            Mark(
                deployment=run.mark.deployment,
                instance=run.instance,
                operation=OperationId(mark["operation"]),
                attempt=mark["attempt"],
            )
            for mark in marks
        ]
        return _remains(run, spec, makers)


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
