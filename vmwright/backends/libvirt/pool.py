"""The deployment's storage pool on a host: made on first use, woken when it sleeps."""

import posixpath
from collections.abc import Iterable, Mapping
from typing import Any

import libvirt

from vmwright.backends.hypervisor import Guest
from vmwright.backends.libvirt.domain_xml import Backing, Placed
from vmwright.backends.libvirt.failures import Code
from vmwright.backends.libvirt.line import Connect
from vmwright.backends.libvirt.lookups import found, tolerated, wake
from vmwright.backends.libvirt.volume_xml import (
    VolumeFacts,
    facts_of,
    pool_uuid,
    pool_xml,
    volume_xml,
)
from vmwright.backends.volumes import Volume
from vmwright.ids import DeploymentId, base_name, is_snapshot, mark_of_volume

StoragePool = Any
"""`libvirt.virStoragePool`: the binding has no types."""
StorageVolume = Any
"""`libvirt.virStorageVol`."""

_GIB = 2**30
_WHOLE = ".whole"


class Pool:
    """A directory of volumes under `pool_dir`. Its methods are used inside a question."""

    def __init__(self, deployment: DeploymentId, pool_dir: str) -> None:
        self.deployment = deployment
        self._uuid = pool_uuid(deployment)
        self.directory = posixpath.normpath(posixpath.join(pool_dir, deployment))

    def places(self, guest: Guest, volumes: Iterable[Volume]) -> Mapping[str, Placed]:
        """Where a guest's volumes would lie, and what they would be overlays of. Asks nobody."""
        made = {volume.name: volume for volume in volumes}
        names = [*(disk.volume for disk in guest.disks), guest.kernel, guest.ramdisk]
        return {
            name: Placed(path=self._path(name), backing=self._below(made.get(name)))
            for name in names
            if name is not None
        }

    def _below(self, volume: Volume | None) -> Backing | None:
        if volume is None:
            return None
        if volume.base is not None:
            base = volume.base
            name = base_name(self.deployment, base.sha256, base.disk_format)
            return Backing(path=self._path(name), disk_format=base.disk_format)
        if volume.backing is not None:
            disk_format = volume.backing.rpartition(".")[2]
            return Backing(path=self._path(volume.backing), disk_format=disk_format)
        return None

    def _path(self, name: str) -> str:
        return posixpath.join(self.directory, name)

    def known(self, connection: Connect) -> StoragePool | None:
        """The pool, active; None if it was never made."""
        pool = connection.pools.get(self._uuid)
        if pool is None:
            look = connection.storagePoolLookupByUUIDString
            pool = found(look, self._uuid, Code.NO_STORAGE_POOL)
            if pool is not None:
                _wake(pool)
                connection.pools[self._uuid] = pool
        return pool

    def made(self, connection: Connect) -> StoragePool:
        """The pool, active."""
        pool = self.known(connection)
        if pool is None:
            pool = connection.storagePoolDefineXML(pool_xml(self.deployment, self.directory))
            pool.setAutostart(1)
            _wake(pool)
            connection.pools[self._uuid] = pool
        return pool

    def volume(self, connection: Connect, name: str) -> StorageVolume | None:
        pool = self.known(connection)
        if pool is None:
            return None
        return found(pool.storageVolLookupByName, name, Code.NO_STORAGE_VOL)

    def existing(self, connection: Connect, name: str) -> StorageVolume:
        """The volume; libvirt's own error if there is none."""
        return self.made(connection).storageVolLookupByName(name)

    def path(self, connection: Connect, name: str) -> str | None:
        """Where the volume lies; None if there is none."""
        volume = self.volume(connection, name)
        # The key of a file in a directory is its path, which the host need not be asked for.
        return None if volume is None else str(volume.key())

    def backing_at(self, path: str) -> str | None:
        """The name of the cached image or snapshot with this path; None if it is not ours."""
        directory, name = posixpath.split(path)
        ours = self.is_base(name) or is_snapshot(name)
        return name if ours and directory == self.directory else None

    def is_base(self, name: str) -> bool:
        """Whether it is a cached image of this deployment."""
        sha256, disk_format = name.split(".")[-2:] if name.count(".") == 3 else ("", "")
        return name == base_name(self.deployment, sha256, disk_format)

    def marker_of(self, name: str) -> str:
        """The name of the volume that says of this one that it is whole."""
        return name + _WHOLE

    def marked_by(self, name: str) -> str:
        """The volume that a marker speaks of; any other volume stands for itself."""
        return name.removesuffix(_WHOLE)

    def is_whole(self, connection: Connect, name: str) -> bool:
        """Whether somebody has said so who made the volume to its end."""
        return self.volume(connection, self.marker_of(name)) is not None

    def say_whole(self, connection: Connect, name: str) -> None:
        self.create(connection, self.marker_of(name), "raw", 0)

    def unsay_whole(self, connection: Connect, name: str) -> None:
        """Before the volume is removed: what nobody calls whole is nothing."""
        marker = self.volume(connection, self.marker_of(name))
        if marker is not None:
            marker.delete(0)

    def overlay_of(self, connection: Connect, path: str) -> str | None:
        """The name of a volume that is an overlay of the file with this path."""
        facts = self.all_facts(connection).items()
        ours = (name for name, known in facts if mark_of_volume(name) and known.backing == path)
        return next(ours, None)

    def facts(self, connection: Connect, name: str) -> VolumeFacts | None:
        """What the host says of a volume; None if there is none."""
        volume = self.volume(connection, name)
        if volume is None:
            return None
        with tolerated(Code.NO_STORAGE_VOL):
            return facts_of(volume.XMLDesc(0))
        return None

    def all_facts(self, connection: Connect) -> Mapping[str, VolumeFacts]:
        """Every volume by its name."""
        pool = self.known(connection)
        facts = {}
        for name in [] if pool is None else pool.listVolumes():
            known = self.facts(connection, name)
            if known is not None:
                facts[name] = known
        return facts

    def create(
        self,
        connection: Connect,
        name: str,
        disk_format: str,
        size_bytes: int,
        backing: tuple[str, str] | None = None,
    ) -> bool:
        """Make a volume; False if there is one of this name, of whatever kind and size."""
        pool = self.made(connection)
        try:
            pool.createXML(volume_xml(name, disk_format, size_bytes, backing), 0)
        except libvirt.libvirtError as error:
            if error.get_error_code() != Code.STORAGE_VOL_EXIST:
                # A file that came without libvirt is not known before the pool is read again.
                pool.refresh(0)
                if found(pool.storageVolLookupByName, name, Code.NO_STORAGE_VOL) is None:
                    raise
            return False
        return True

    def forget(self, connection: Connect) -> str | None:
        """Forget the pool and its directory, or return the name of a volume that is in it."""
        pool = self.known(connection)
        if pool is None:
            return None
        pool.refresh(0)
        for name in pool.listVolumes():
            return str(name)
        connection.pools.pop(self._uuid, None)
        pool.destroy()
        pool.delete(0)
        pool.undefine()
        return None

    def size_gib(self, connection: Connect) -> int:
        """The room that the pool's file system has, used or not."""
        _state, capacity, _allocation, _available = self.made(connection).info()
        return int(capacity) // _GIB


def _wake(pool: StoragePool) -> None:
    def start() -> None:
        pool.build(0)
        pool.create(0)

    wake(pool, start)
