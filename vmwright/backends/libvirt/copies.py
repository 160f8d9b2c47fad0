"""Snapshots on a host: whole copies of volumes, whatever becomes of the process that asked.

libvirt goes on with a copy whose caller died; one that was cut off with libvirt itself looks like
a whole one. So, as beside a cached image, a tiny volume says that it is whole.
"""

import libvirt

from vmwright import ids
from vmwright.backends.libvirt.connection import HostConnection
from vmwright.backends.libvirt.failures import Code
from vmwright.backends.libvirt.in_use import guest_with_file
from vmwright.backends.libvirt.line import Connect
from vmwright.backends.libvirt.pool import Pool
from vmwright.backends.libvirt.volume_xml import VolumeFacts, volume_xml
from vmwright.errors import HostFault, Refused
from vmwright.waiting import Wait

_POLL = 0.2
"""Seconds between two looks at a copy that the host is busy with."""
_FORMAT = "qcow2"


class Copies:
    """The snapshots of one host. Each is made by one process only: nobody else knows its id."""

    def __init__(self, connection: HostConnection, pool: Pool) -> None:
        self._connection = connection
        self._host = connection.host
        self._pool = pool

    def backing(self, connection: Connect, name: str) -> tuple[str, str] | None:
        """Path and format of the snapshot, for an overlay; None unless it is whole."""
        facts = self._pool.facts(connection, name) if ids.is_snapshot(name) else None
        if facts is None or not self._pool.is_whole(connection, name):
            return None
        return facts.path, _FORMAT

    def ensure(self, name: str, source: str, wait: Wait) -> None:
        """As `Volumes.ensure_copy`. It takes as long as it takes: `wait` is the only limit."""
        if not ids.is_snapshot(name):
            raise Refused(f"{self._host}: {name!r} is not the name of a snapshot")
        what = f"copy volume {source}"
        while not self._connection.ask(
            what, lambda connection: self._is_made(connection, name, source), wait, name, slow=True
        ):
            wait.pause(_POLL, f"{self._host}: {what}: the host is busy with an earlier copy")

    def give_up(self, connection: Connect, name: str) -> None:
        """Before the volume is removed; refused while a volume is an overlay of it."""
        facts = self._pool.facts(connection, name)
        overlay = facts and self._pool.overlay_of(connection, facts.path)
        if overlay:
            raise Refused(f"{self._host}: volume {overlay} is an overlay of snapshot {name}")
        self._pool.unsay_whole(connection, name)

    def _is_made(self, connection: Connect, name: str, source: str) -> bool:
        """Make it; False while half a copy is there that cannot be removed yet."""
        if self.backing(connection, name) is not None:
            return True
        facts = self._source(connection, source)
        half = self._pool.volume(connection, name)
        if half is not None:
            try:
                half.delete(0)
            except libvirt.libvirtError as error:
                if error.get_error_code() not in {Code.NO_STORAGE_VOL, Code.OPERATION_INVALID}:
                    raise
                return False
        # Somebody who was slow may have said so of one that has been removed since.
        self._pool.unsay_whole(connection, name)
        pool = self._pool.made(connection)
        xml = volume_xml(name, _FORMAT, facts.capacity)
        pool.createXMLFrom(xml, self._pool.existing(connection, source), 0)
        self._check(connection, name, facts)
        self._pool.say_whole(connection, name)
        return True

    def _source(self, connection: Connect, source: str) -> VolumeFacts:
        what = f"{self._host}: volume {source}"
        facts = self._pool.facts(connection, source)
        if facts is None:
            raise Refused(f"{what} does not exist")
        if facts.disk_format != _FORMAT:
            raise Refused(f"{what} is not {_FORMAT}")
        guest = guest_with_file(connection, facts.path)
        if guest is not None:
            raise Refused(f"{what} is open in guest {guest}, which runs")
        return facts

    def _check(self, connection: Connect, name: str, source: VolumeFacts) -> None:
        made = self._pool.facts(connection, name)
        if made is None or (made.capacity, made.backing) != (source.capacity, None):
            raise HostFault(f"{self._host}: snapshot {name} was made and is not whole")
