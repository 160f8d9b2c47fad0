"""Images as a host caches them: uploaded once, however many builds and processes want them.

Of one machine one process uploads an image, and the others wait for it (`uploads`). A process of
another machine is seen by what it does: the volume grows.

A volume cannot be renamed, and a half upload looks like a whole one. So a second, tiny volume
beside the image says that the image is whole; it is made after the last byte has arrived.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from vmwright import ids
from vmwright.backends.libvirt.connection import HostConnection
from vmwright.backends.libvirt.in_use import guest_naming
from vmwright.backends.libvirt.line import Connect, Line
from vmwright.backends.libvirt.pool import Pool
from vmwright.backends.libvirt.streams import File, upload
from vmwright.backends.libvirt.uploads import Uploads
from vmwright.backends.volumes import Base
from vmwright.errors import HostFault, Refused
from vmwright.waiting import Wait

_SILENT_SECONDS = 2.0
"""How long nothing comes to a half image before whoever is at it, if anybody, is not waited for."""
_POLL_SECONDS = 0.2


class Bases:
    """The cached images of one host.

    Two processes that know nothing of each other may still upload an image at once: they write
    the same bytes to the same places, and whoever has written all of them says so. The other one
    goes on to its end all the same, for that word may be a late one, about an image that has been
    removed since.
    """

    def __init__(self, connection: HostConnection, pool: Pool, uploads: Uploads) -> None:
        self._connection = connection
        self._host = connection.host
        self._pool = pool
        self._uploads = uploads

    def backing(self, connection: Connect, base: Base) -> tuple[str, str] | None:
        """Path and format of the image, for an overlay; None unless it is whole."""
        name = self._name(base)
        facts = self._pool.facts(connection, name)
        if facts is None or facts.physical != base.size_bytes:
            return None
        if not self._pool.is_whole(connection, name):
            return None
        return facts.path, base.disk_format

    def ensure(self, base: Base, source: Path, wait: Wait) -> None:
        """As `Volumes.ensure_base`."""
        if self._is_whole(base, wait):
            return
        name = self._name(base)
        what = f"{self._host}: image {name} is being uploaded"
        with self._uploads.turn(name, what, wait) as sheet:
            heard = wait.heard_by(sheet.tell)
            whole = self._is_whole(base, heard)
            if not whole and not sheet.follows_a_failure:
                whole = self._becomes_whole(base, what, heard)
            if not whole:
                self._send(base, source, heard)
            sheet.end()

    def ensure_no(self, base: Base, wait: Wait) -> None:
        """As `Volumes.ensure_no_base`."""
        name = self._name(base)
        what = f"remove image {name}"
        self._connection.ask(what, lambda connection: self._remove(connection, name), wait, name)

    def _name(self, base: Base) -> str:
        return ids.base_name(self._pool.deployment, base.sha256, base.disk_format)

    def _is_whole(self, base: Base, wait: Wait) -> bool:
        what = f"look up image {self._name(base)}"
        return self._connection.ask(what, lambda c: self.backing(c, base), wait) is not None

    def _becomes_whole(self, base: Base, what: str, wait: Wait) -> bool:
        """Wait while somebody on another machine uploads the image; False if nobody does."""
        seen, since = self._progress(base, wait), wait.remaining()
        while seen is not None:
            if since - wait.remaining() > _SILENT_SECONDS:
                return False
            wait.moved(min(seen[0], base.size_bytes), base.size_bytes, what)
            wait.pause(_POLL_SECONDS, what)
            if self._is_whole(base, wait):
                return True
            now = self._progress(base, wait)
            if now != seen:
                seen, since = now, wait.remaining()
        return False

    def _progress(self, base: Base, wait: Wait) -> tuple[int, float | None] | None:
        """What changes with every byte that comes to the image; None if there is none."""
        name = self._name(base)
        facts = self._connection.ask(
            f"look up image {name}", lambda c: self._pool.facts(c, name), wait
        )
        return None if facts is None else (facts.allocation, facts.changed_at)

    def _send(self, base: Base, source: Path, wait: Wait) -> None:
        with self._opened(base, source) as file:
            self._connection.session(
                f"upload image {self._name(base)}",
                lambda line: self._upload(line, base, file, wait),
                wait,
            )

    @contextlib.contextmanager
    def _opened(self, base: Base, source: Path) -> Iterator[File]:
        what = f"{self._host}: the file of image {self._name(base)}"
        try:
            descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            raise Refused(f"{what} cannot be read: {error.strerror}") from error
        try:
            file = File(descriptor)
            if file.size != base.size_bytes:
                raise Refused(f"{what} has {file.size} bytes, not {base.size_bytes}")
            yield file
        finally:
            os.close(descriptor)

    def _upload(self, line: Line, base: Base, file: File, wait: Wait) -> None:
        name = self._name(base)
        what = f"upload image {name}"
        line.ask(what, lambda c: self._make_room(c, name, file.size), wait, name)
        upload(line, what, lambda c: self._pool.existing(c, name), file, wait, name)
        line.ask(what, lambda c: self._say_whole(c, base), wait, name)

    def _make_room(self, connection: Connect, name: str, size: int) -> None:
        facts = self._pool.facts(connection, name)
        if facts is not None and facts.physical != size:
            self._pool.existing(connection, name).delete(0)
            facts = None
        if facts is None:
            # Somebody who was slow may have said so of one that has been removed since.
            self._pool.unsay_whole(connection, name)
            # Raw whatever it will hold: libvirt makes the file as long as the upload will be.
            self._pool.create(connection, name, "raw", size)

    def _say_whole(self, connection: Connect, base: Base) -> None:
        name = self._name(base)
        self._pool.say_whole(connection, name)
        if self.backing(connection, base) is None:
            raise HostFault(f"{self._host}: image {name} was uploaded and is not whole")

    def _remove(self, connection: Connect, name: str) -> None:
        facts = self._pool.facts(connection, name)
        if facts is None:
            self._pool.unsay_whole(connection, name)
            return
        overlay = self._pool.overlay_of(connection, facts.path)
        if overlay is not None:
            raise Refused(f"{self._host}: volume {overlay} is an overlay of image {name}")
        guest = guest_naming(connection, facts.path)
        if guest is not None:
            raise Refused(f"{self._host}: guest {guest} is started with image {name}")
        self._pool.unsay_whole(connection, name)
        found = self._pool.volume(connection, name)
        if found is not None:
            found.delete(0)
