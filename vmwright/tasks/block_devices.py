"""Tasks that give an instance its volumes."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from vmwright.backends.removal import Kind, Removal
from vmwright.backends.volumes import FORMAT
from vmwright.errors import Internal
from vmwright.ids import (
    HostId,
    OperationId,
    VolumeId,
    Whose,
    mark_of_volume,
    new_id,
)
from vmwright.persistence.census import Held
from vmwright.persistence.records import Attachment, VolumeRecord
from vmwright.persistence.volumes import WantedVolume
from vmwright.spec import Spec, VolumeSpec
from vmwright.states import OperationState, TaskState
from vmwright.tasks.guest_parts import data_volume, device_of, location_of
from vmwright.tasks.image import make_with_bases
from vmwright.tasks.task import RemovingTask, Run, Task


class MapBlockDevices(Task):
    """Attach each volume, and make those that do not exist yet on the host."""

    task_name = "map_block_devices"
    task_state = TaskState.BLOCK_DEVICE_MAPPING
    gives_back = "volumes"
    leaves = frozenset({Kind.VOLUME, Held.ATTACHMENT})
    default_provides = "block_devices"

    def intend(self, run: Run, spec: Spec, host: dict[str, Any], **_: Any) -> None:
        wanted = [
            WantedVolume(
                attachment=Attachment(
                    id=new_id(),
                    volume_id=wish.volume,
                    instance_id=run.instance,
                    operation_id=run.operation,
                    position=position,
                    delete_on_termination=wish.delete_on_termination,
                ),
                location=location_of(run.mark, wish.volume),
                new=None if wish.source == "existing" else self._new_volume(run, wish, spec),
            )
            for position, wish in enumerate(spec.volumes)
        ]
        volumes, place = self._means.stores.volumes, HostId(host["id"])
        run.noted[self.name] = volumes.map_all(run.connection, wanted, host=place)

    def execute(self, run: Run, spec: Spec, host: dict[str, Any]) -> list[dict[str, Any]]:
        records: Sequence[VolumeRecord] = run.noted[self.name]
        devices = []
        for wish, record in zip(spec.volumes, records, strict=True):
            if record.location is None:
                raise Internal(f"volume {wish.volume} has no place although it was given one")
            if record.made_by == run.operation:
                self._make(run, host, wish, record.location)
            devices.append(device_of(wish, record.location))
        return devices

    def _make(self, run: Run, host: dict[str, Any], wish: VolumeSpec, location: str) -> None:
        place = self._means.backend.host(host["uri"]).volumes
        images = [] if wish.image is None else [wish.image]
        make_with_bases(run, self._means.images, place, images, [data_volume(wish, location)])

    def _new_volume(self, run: Run, wish: VolumeSpec, spec: Spec) -> VolumeRecord:
        origin = None
        if wish.snapshot is not None:
            origin = self._means.stores.snapshots.get(run.connection, wish.snapshot.id)
        return VolumeRecord(
            id=wish.volume,
            project_id=spec.project,
            name=wish.name,
            size_gib=wish.size_gib,
            disk_format=FORMAT,
            image_id=wish.image.id if wish.image else None,
            snapshot_id=wish.snapshot.id if wish.snapshot else None,
            made_for=run.instance,
            bootable=wish.image is not None or (origin is not None and origin.bootable),
        )

    def revert(self, run: Run, spec: Spec, host: dict[str, Any], **_: Any) -> None:
        run.remove(self._means.backend, host, self.removals(run, spec))

    def removals(self, run: Run, spec: Spec, **_: Any) -> list[Removal]:
        names = [location_of(run.mark, wish.volume) for wish in spec.volumes]
        return [Removal(kind=Kind.VOLUME, key=name, whose=run.whose) for name in names]

    def forget(self, run: Run, spec: Spec, **_: Any) -> None:
        stores = self._means.stores
        stores.volumes.forget_made_by(run.connection, run.operation, _users_own(spec))
        # A guest that could not be removed may still write to the user's own: nobody else must.
        keep = stores.debts.keep_volumes(run.connection, run.instance)
        stores.volumes.detach(run.connection, run.instance, run.operation, keep=keep)


class ReleaseBlockDevices(RemovingTask):
    """Detach the instance's volumes and delete those that go with it.

    What a build that never went well has made is taken back as that build would have done it:
    its undo may have come half-way.
    """

    task_name = "release_block_devices"

    def intend(self, run: Run, **_: Any) -> None:
        run.noted[self.name] = self._doomed(run.connection, run)

    def execute(self, run: Run, spec: Spec, host: dict[str, Any] | None) -> None:
        del spec  # for the store half
        if host is not None:
            run.remove(self._means.backend, host, _made_absent(run, run.noted[self.name]))

    def removals(self, run: Run, **_: Any) -> list[Removal]:
        with self._means.stores.database.read() as connection:
            return _made_absent(run, self._doomed(connection, run))

    def forget(self, run: Run, spec: Spec, **_: Any) -> None:
        stores = self._means.stores
        attached = stores.volumes.attached(run.connection, run.instance)
        doomed = [volume.id for attachment, volume in attached if attachment.delete_on_termination]
        stores.volumes.bury(run.connection, *doomed)
        for build in self._unfinished(run.connection, run):
            stores.volumes.forget_made_by(run.connection, build, _users_own(spec))
        keep = stores.debts.keep_volumes(run.connection, run.instance)
        stores.volumes.detach(run.connection, run.instance, None, keep=keep)

    def _doomed(self, connection: sa.Connection, run: Run) -> Sequence[VolumeRecord]:
        attached = self._means.stores.volumes.attached(connection, run.instance)
        unfinished = self._unfinished(connection, run)
        return [
            volume
            for attachment, volume in attached
            if attachment.delete_on_termination or volume.made_by in unfinished
        ]

    def _unfinished(self, connection: sa.Connection, run: Run) -> set[OperationId]:
        """The builds of the instance that are not done, and never will be.

        None once its guest was active: what that has written is its user's, however it ended.
        """
        stores = self._means.stores
        if stores.instances.get(connection, run.instance).launched_at is not None:
            return set()
        operations = stores.operations.of_instance(connection, run.instance)
        return {
            known.id
            for known in operations
            if known.kind == "create" and known.state is not OperationState.DONE
        }


def _made_absent(run: Run, volumes: Sequence[VolumeRecord]) -> list[Removal]:
    """Volumes kept from another instance carry that one's mark: the row says they are ours."""
    found = []
    for volume in volumes:
        if volume.location is None:
            continue
        mark, whose = mark_of_volume(volume.location), run.whose
        if mark is not None:
            whose = Whose(deployment=run.whose.deployment, instance=mark.instance)
        found.append(Removal(kind=Kind.VOLUME, key=volume.location, whose=whose))
    return found


def _users_own(spec: Spec) -> list[VolumeId]:
    """The volumes that were there before the instance."""
    return [wish.volume for wish in spec.volumes if wish.source == "existing"]
