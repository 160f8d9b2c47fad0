"""One host's storage, through libvirt."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import libvirt

from vmwright import ids
from vmwright.backends.libvirt.bases import Bases
from vmwright.backends.libvirt.connection import HostConnection
from vmwright.backends.libvirt.copies import Copies
from vmwright.backends.libvirt.failures import Code
from vmwright.backends.libvirt.in_use import guest_with_file
from vmwright.backends.libvirt.line import Connect, Line
from vmwright.backends.libvirt.pool import Pool
from vmwright.backends.libvirt.streams import Content, Piece, download, upload
from vmwright.backends.libvirt.uploads import Uploads
from vmwright.backends.libvirt.volume_xml import VolumeFacts
from vmwright.backends.volumes import Base, Stored, Volume
from vmwright.errors import Refused, Unavailable
from vmwright.ids import Whose
from vmwright.waiting import Wait

_POLL = 0.2
"""Seconds between two looks at a volume that the host is busy with."""
_SECTOR = 512
_QCOW2_MAGIC = b"QFI\xfb"


class LibvirtVolumes:
    """Volumes as files of the deployment's pool."""

    def __init__(self, connection: HostConnection, pool: Pool, uploads: Uploads) -> None:
        self._connection = connection
        self._host = connection.host
        self._pool = pool
        self._bases = Bases(connection, pool, uploads)
        self._copies = Copies(connection, pool)

    def volumes(self, wait: Wait) -> Sequence[Stored]:
        known = self._connection.ask("list volumes", self._pool.all_facts, wait)
        names = {self._pool.marked_by(name) for name in known}
        return [self._stored(name, known) for name in sorted(names)]

    def ensure_base(self, base: Base, source: Path, wait: Wait) -> None:
        self._bases.ensure(base, source, wait)

    def ensure_no_base(self, base: Base, wait: Wait) -> None:
        self._bases.ensure_no(base, wait)

    def ensure_volume(self, volume: Volume, wait: Wait) -> None:
        self._refuse_unfit(volume.name, volume.disk_format, volume.size_bytes)
        if _is_overlay(volume) and volume.disk_format != "qcow2":
            raise Refused(f"{self._host}: overlay {volume.name} must be qcow2")
        what = f"make volume {volume.name}"
        self._connection.ask(
            what, lambda connection: self._make(connection, volume), wait, volume.name
        )

    def ensure_content(self, name: str, content: bytes, wait: Wait) -> None:
        self._refuse_unfit(name, "raw", len(content))
        what = f"fill volume {name}"
        self._connection.session(what, lambda line: self._fill(line, name, content, wait), wait)

    def ensure_copy(self, name: str, source: str, wait: Wait) -> None:
        self._copies.ensure(name, source, wait)

    def ensure_no_volume(self, name: str, whose: Whose, wait: Wait) -> None:
        if not whose.covers(ids.mark_of_volume(name)):
            return
        what = f"remove volume {name}"
        while not self._connection.ask(what, lambda c: self._is_removed(c, name), wait, name):
            wait.pause(_POLL, f"{self._host}: {what}: the host is busy with it")

    def ensure_no_pool(self, wait: Wait) -> None:
        self._connection.ask("remove the pool", self._remove_pool, wait)

    def settle_volume(self, name: str, wait: Wait) -> None:
        self._connection.settle(name, wait)
        what = f"see that nothing is done with volume {name}"
        while not self._connection.ask(what, lambda c: self._is_idle(c, name), wait):
            wait.pause(_POLL, f"{self._host}: {what}")

    def _stored(self, name: str, known: Mapping[str, VolumeFacts]) -> Stored:
        """Also what only a marker is left of: that must not speak for what comes next."""
        disk_format = name.rpartition(".")[2]
        facts = known.get(name)
        # Only the header of a qcow2 volume is ours: a guest writes the whole of a raw one.
        backing = facts.backing if facts and disk_format == "qcow2" else None
        marker = known.get(self._pool.marker_of(name))
        needs_marker = self._pool.is_base(name) or ids.is_snapshot(name)
        return Stored(
            name=name,
            mark=ids.mark_of_volume(name),
            size_bytes=facts.size_as(disk_format) if facts else 0,
            backing=self._pool.backing_at(backing) if backing else None,
            whole=facts is not None and (marker is not None or not needs_marker),
            changed_at=(facts or known[self._pool.marker_of(name)]).changed_at,
        )

    def _refuse_unfit(self, name: str, disk_format: str, size_bytes: int) -> None:
        if ids.mark_of_volume(name) is None:
            raise Refused(f"{self._host}: the name of volume {name!r} holds no mark")
        if ids.is_snapshot(name):
            raise Refused(f"{self._host}: {name!r} is a snapshot, and never written")
        if disk_format not in {"qcow2", "raw"} or size_bytes < 0:
            raise Refused(f"{self._host}: volume {name}: {size_bytes} bytes as {disk_format!r}")

    def _make(self, connection: Connect, volume: Volume) -> None:
        size = volume.size_bytes
        if volume.disk_format == "qcow2":
            size = -(-size // _SECTOR) * _SECTOR
        backing = self._backing(connection, volume)
        if _is_overlay(volume) and backing is None:
            # A blank volume of that name would pass for it.
            raise Refused(f"{self._host}: what volume {volume.name} begins as is missing")
        if not self._pool.create(connection, volume.name, volume.disk_format, size, backing):
            facts = self._pool.facts(connection, volume.name)
            self._refuse_other(volume, size, backing, facts)

    def _backing(self, connection: Connect, volume: Volume) -> tuple[str, str] | None:
        """Path and format of what the volume is an overlay of; None if that is not there."""
        if volume.base is not None:
            return self._bases.backing(connection, volume.base)
        if volume.backing is not None:
            return self._copies.backing(connection, volume.backing)
        return None

    def _refuse_other(
        self,
        volume: Volume,
        size: int,
        backing: tuple[str, str] | None,
        facts: VolumeFacts | None,
    ) -> None:
        what = f"{self._host}: volume {volume.name}"
        if facts is None:
            raise Unavailable(f"{what} was there and is gone")
        wrong_format = volume.disk_format == "qcow2" and facts.disk_format != "qcow2"
        if wrong_format or facts.size_as(volume.disk_format) != size:
            raise Refused(f"{what} exists with another size or format")
        if volume.disk_format == "qcow2" and facts.backing != (backing and backing[0]):
            raise Refused(f"{what} exists as an overlay of another base")

    def _fill(self, line: Line, name: str, content: bytes, wait: Wait) -> None:
        what = f"fill volume {name}"
        size = len(content)
        if not line.ask(what, lambda c: self._pool.create(c, name, "raw", size), wait, name):
            facts = line.ask(what, lambda c: self._pool.facts(c, name), wait)
            if facts is not None:
                if facts.disk_format == "qcow2" and not content.startswith(_QCOW2_MAGIC):
                    raise Refused(f"{self._host}: volume {name} exists in another format")
                if facts.physical == size and self._holds(line, name, content, wait):
                    return
            line.ask(what, lambda c: self._make_room(c, name, size), wait, name)
        if content:
            upload(line, what, lambda c: self._pool.existing(c, name), Content(content), wait, name)

    def _holds(self, line: Line, name: str, content: bytes, wait: Wait) -> bool:
        what = f"read volume {name}"
        if not content:
            return True
        whole = Piece(0, len(content))
        return download(line, what, lambda c: self._pool.existing(c, name), whole, wait) == content

    def _make_room(self, connection: Connect, name: str, size: int) -> None:
        """Have a raw volume of that size whose content is of no worth."""
        facts = self._pool.facts(connection, name)
        if facts is not None and facts.physical != size:
            self._remove(connection, name)
            facts = None
        if facts is None:
            self._pool.create(connection, name, "raw", size)
        else:
            self._refuse_in_use(connection, name, facts.path)

    def _is_removed(self, connection: Connect, name: str) -> bool:
        try:
            self._remove(connection, name)
        except libvirt.libvirtError as error:
            if error.get_error_code() not in {Code.NO_STORAGE_VOL, Code.OPERATION_INVALID}:
                raise
            return self._pool.volume(connection, name) is None
        return True

    def _remove(self, connection: Connect, name: str) -> None:
        if ids.is_snapshot(name):
            self._copies.give_up(connection, name)
        volume = self._pool.volume(connection, name)
        if volume is not None:
            self._refuse_in_use(connection, name, str(volume.key()))
            volume.delete(0)

    def _remove_pool(self, connection: Connect) -> None:
        volume = self._pool.forget(connection)
        if volume is not None:
            raise Refused(f"{self._host}: volume {volume} is in the pool")

    def _refuse_in_use(self, connection: Connect, name: str, path: str) -> None:
        guest = guest_with_file(connection, path)
        if guest is not None:
            raise Refused(f"{self._host}: guest {guest} runs and has volume {name} open")

    def _is_idle(self, connection: Connect, name: str) -> bool:
        """Whether libvirt lets the volume be read: not while it is still being made."""
        volume = self._pool.volume(connection, name)
        if volume is None:
            return True
        stream = connection.newStream(0)
        try:
            volume.download(stream, 0, 1, 0)
        except libvirt.libvirtError as error:
            if error.get_error_code() != Code.OPERATION_INVALID:
                raise
            return False
        stream.abort()
        return True


def _is_overlay(volume: Volume) -> bool:
    return volume.base is not None or volume.backing is not None
