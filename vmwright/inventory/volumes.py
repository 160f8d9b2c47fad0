"""Volumes and their snapshots, as things of their own: with no instance, or before one."""

import math
from collections.abc import Sequence

import sqlalchemy as sa

from vmwright.admission import Caller
from vmwright.backends.host import Backend
from vmwright.backends.removal import Kind
from vmwright.backends.volumes import FORMAT, GIB
from vmwright.errors import Conflict, InvalidRequest, Refused, Unavailable, VmwrightError
from vmwright.ids import InstanceId, SnapshotId, VolumeId, mark_of_volume, new_id, snapshot_name
from vmwright.inventory.limits import Limits
from vmwright.inventory.register import Register
from vmwright.inventory.wishes import NewSnapshot, NewVolume
from vmwright.persistence.debts import BEING_MADE
from vmwright.persistence.kept import way_to_free
from vmwright.persistence.records import Snapshot, VolumeRecord
from vmwright.persistence.retrying import again_if_given_up
from vmwright.persistence.stores import Stores
from vmwright.settings import OperationSettings
from vmwright.spec import Spec
from vmwright.waiting import Wait


class Volumes:
    """The volumes that are there for a caller. A new one is a row only: its first instance makes
    it."""

    def __init__(self, register: Register, limits: Limits, caller: Caller) -> None:
        self._register = register
        self._limits = limits
        self._stores = register.stores
        self._rows = register.stores.volumes
        self._project = caller.project
        self._sees = caller.sees

    @again_if_given_up
    def create(self, wish: NewVolume) -> VolumeRecord:
        self._register.rights.change()
        with self._register.turn() as connection:
            volume = self._begun(connection, wish)
            self._limits.refuse_more(connection, volumes=1, gigabytes=volume.size_gib)
            self._rows.add(connection, volume)
            return self._rows.find(connection, volume.id)

    def all(self) -> Sequence[VolumeRecord]:
        found: list[VolumeRecord] = []
        with self._stores.database.read() as connection:
            while page := self._rows.page(
                connection, project=self._sees, after=found[-1].seq if found else 0
            ):
                found += page
        return found

    def find(self, name_or_id: str) -> VolumeRecord:
        with self._stores.database.read() as connection:
            return self._rows.find(connection, name_or_id, project=self._sees)

    @again_if_given_up
    def delete(self, name_or_id: str) -> VolumeRecord:
        self._register.rights.change()
        with self._stores.database.write() as connection:
            volume = self._rows.find(connection, name_or_id, project=self._sees)
            self._rows.bury(connection, volume.id)
            attached = self._rows.attachment_of(connection, volume.id)
            if attached is not None:
                raise _in_use(self._stores, connection, volume, attached.instance_id)
            if volume.host_id is not None and volume.location is not None:
                mark = mark_of_volume(volume.location)
                maker = mark.instance if mark else InstanceId("")
                self._register.owe(connection, volume.host_id, Kind.VOLUME, volume.location, maker)
        return volume

    def _begun(self, connection: sa.Connection, wish: NewVolume) -> VolumeRecord:
        """The row: from a snapshot, it is bound to that one's host from the beginning."""
        image = snapshot = None
        least = 1
        if wish.image is not None:
            image = self._stores.registries.images.pin(connection, wish.image)
            least = math.ceil(image.virtual_size_bytes / GIB)
        if wish.snapshot is not None:
            snapshot = self._stores.snapshots.find(connection, self._project, wish.snapshot)
            least = snapshot.size_gib
        size = wish.size_gib or least
        if size < least:
            raise InvalidRequest(
                f"a volume of {size} GiB is too small for {wish.image or wish.snapshot!r}: it "
                f"needs {least}"
            )
        bootable = image is not None or (snapshot is not None and snapshot.bootable)
        return VolumeRecord(
            id=VolumeId(new_id()),
            project_id=self._project,
            name=wish.name,
            size_gib=size,
            disk_format=FORMAT,
            image_id=image.id if image else None,
            snapshot_id=snapshot.id if snapshot else None,
            host_id=snapshot.host_id if snapshot else None,
            bootable=wish.bootable or bootable,
        )


class Snapshots:
    """The snapshots of a deployment: each a whole copy beside its volume.

    What a process that dies leaves is owed before it begins: first the debt of the copy, then the
    copy, then in one transaction its row and the end of the debt.
    """

    def __init__(
        self,
        register: Register,
        limits: Limits,
        backend: Backend,
        caller: Caller,
        settings: OperationSettings,
    ) -> None:
        self._register = register
        self._limits = limits
        self._stores = register.stores
        self._rows = register.stores.snapshots
        self._backend = backend
        self._project = caller.project
        self._sees = caller.sees
        self._settings = settings

    def create(self, wish: NewSnapshot, wait: Wait) -> Snapshot:
        self._register.rights.change()
        limit = self._settings.deadline
        with self._stores.database.write() as connection:
            volume = self._stores.volumes.find(connection, wish.volume, project=self._sees)
            self._refuse_in_use(connection, volume)
            snapshot = self._planned(wish, volume)
            self._limits.refuse_more(connection, gigabytes=snapshot.size_gib)
            self._owe(connection, snapshot, limit + self._settings.late_effect)
        try:
            self._copy(snapshot, str(volume.location), wait.within(limit))
            return self._kept(snapshot, volume)
        except VmwrightError as error:
            self._give_up(snapshot, error)
            raise

    def all(self) -> Sequence[Snapshot]:
        with self._stores.database.read() as connection:
            return self._rows.all(connection, self._project)

    def find(self, name_or_id: str) -> Snapshot:
        with self._stores.database.read() as connection:
            return self._rows.find(connection, self._project, name_or_id)

    @again_if_given_up
    def delete(self, name_or_id: str) -> Snapshot:
        self._register.rights.change()
        with self._register.turn() as connection:
            snapshot = self._rows.find(connection, self._project, name_or_id)
            self._rows.bury(connection, snapshot.id)
            self._refuse_used(connection, snapshot)
            self._owe(connection, snapshot, 0.0, "deleted")
        return snapshot

    def _planned(self, wish: NewSnapshot, volume: VolumeRecord) -> Snapshot:
        if volume.host_id is None or volume.location is None:
            raise Conflict(
                f"volume {volume.name!r} was never used: nothing is in it yet",
                hint="create an instance with it first",
            )
        snapshot = SnapshotId(new_id())
        return Snapshot(
            id=snapshot,
            project_id=self._project,
            name=wish.name,
            volume_id=volume.id,
            size_gib=volume.size_gib,
            host_id=volume.host_id,
            location=snapshot_name(self._register.deployment, snapshot, FORMAT),
            bootable=volume.bootable,
        )

    def _copy(self, snapshot: Snapshot, source: str, wait: Wait) -> None:
        host = self._register.find(self._stores.registries.hosts, snapshot.host_id)
        volumes = self._backend.host(host.connection_uri).volumes
        try:
            volumes.ensure_copy(snapshot.location, source, wait)
        except Refused as error:
            raise Conflict(error.message, hint=error.hint) from error

    @again_if_given_up
    def _kept(self, snapshot: Snapshot, before: VolumeRecord) -> Snapshot:
        """Store the row, unless the volume may have been written while it was copied."""
        with self._stores.database.write() as connection:
            self._stores.volumes.keep_living(connection, before.id)
            volume = self._stores.volumes.find(connection, before.id)
            self._refuse_in_use(connection, volume)
            if volume.uses != before.uses:
                raise Conflict(
                    f"volume {volume.name!r} was in use while it was copied", hint="try again"
                )
            if not self._stores.debts.take_back(
                connection, kind=Kind.VOLUME, key=snapshot.location
            ):
                raise Unavailable(f"snapshot {snapshot.name!r} took too long, and is given up")
            self._limits.refuse_more(connection, gigabytes=snapshot.size_gib)
            self._rows.add(connection, snapshot)
            return self._rows.find(connection, self._project, snapshot.id)

    @again_if_given_up
    def _give_up(self, snapshot: Snapshot, error: VmwrightError) -> None:
        """Have what was copied removed: at once, unless the host may still be copying."""
        late = self._settings.late_effect if isinstance(error, Unavailable) else 0.0
        with self._stores.database.write() as connection:
            # A database may have failed to say that it has stored the row.
            if self._rows.get(connection, snapshot.id) is None:
                self._owe(connection, snapshot, late, "given up")

    def _owe(
        self,
        connection: sa.Connection,
        snapshot: Snapshot,
        delay: float,
        reason: str = BEING_MADE,
    ) -> None:
        self._register.owe(
            connection,
            snapshot.host_id,
            Kind.VOLUME,
            snapshot.location,
            InstanceId(snapshot.id),
            reason=reason,
            delay=delay,
        )

    def _refuse_in_use(self, connection: sa.Connection, volume: VolumeRecord) -> None:
        attached = self._stores.volumes.attachment_of(connection, volume.id)
        if attached is not None:
            raise _in_use(self._stores, connection, volume, attached.instance_id)

    def _refuse_used(self, connection: sa.Connection, snapshot: Snapshot) -> None:
        what = f"snapshot {snapshot.name!r} is in use by"
        for instance in self._stores.instances.mentioning(connection, snapshot.id):
            wishes = Spec.from_store(instance.request).volumes
            if any(wish.snapshot and wish.snapshot.id == snapshot.id for wish in wishes):
                raise Conflict(
                    f"{what} instance {instance.name!r}",
                    hint=f"delete it first: vmwright delete {instance.id}",
                )
        volumes = self._stores.volumes.uses_of_snapshot(connection, snapshot.id)
        if volumes:
            raise Conflict(
                f"{what} {volumes} volumes",
                hint="delete them first; see: vmwright volume list",
            )


def _in_use(
    stores: Stores, connection: sa.Connection, volume: VolumeRecord, instance: InstanceId
) -> Conflict:
    return Conflict(
        f"volume {volume.name!r} is in use by instance {instance}",
        hint=way_to_free(stores, connection, instance),
    )
