"""Whether guests of a host run by KVM or by emulation, tried out once and remembered."""

import json
import logging
import os
import threading
import time
from pathlib import Path

from vmwright.backends.libvirt import capabilities
from vmwright.backends.libvirt.connection import HostConnection
from vmwright.backends.libvirt.guest_probe import guest_runs
from vmwright.backends.libvirt.line import Connect
from vmwright.backends.libvirt.pool import Pool
from vmwright.backends.libvirt.turns import turn
from vmwright.private_files import make_directories, new_file
from vmwright.waiting import Wait

LOG = logging.getLogger(__name__)

_NO_HOLDS_SECONDS = 86400.0
"""For how long it is remembered that KVM does not work: somebody may have mended it."""


class VirtType:
    """The type of one host's guests: what the settings say, or what a trial shows.

    The answer of a trial is kept in a file per host under the state directory, as long as the
    host's libvirt and QEMU stay the same. Remove the file to have it tried again.
    """

    def __init__(
        self, connection: HostConnection, pool: Pool, setting: str, state_dir: Path
    ) -> None:
        self._connection = connection
        self._pool = pool
        self._known = None if setting == "auto" else setting
        self._directory = state_dir / "hosts"
        self._trial = threading.Lock()

    @property
    def known(self) -> str | None:
        """The answer of `of_host`, as far as nobody has to be asked for it."""
        return self._known

    def of_host(self, wait: Wait) -> str:
        """``kvm`` or ``qemu``."""
        if self._known is None:
            with turn(self._trial, f"{self._connection.host}: try a guest", wait):
                self._known = self._known or self._found_out(wait)
        return self._known

    def _found_out(self, wait: Wait) -> str:
        uuid, versions = self._connection.ask("ask for KVM", _identity, wait)
        if versions is None:
            return "qemu"
        file = self._directory / f"{uuid}.json"
        known = _remembered(file, versions)
        if known is None:
            works = guest_runs(self._connection, self._pool, "kvm", wait)
            known = "kvm" if works else "qemu"
            _remember(file, versions, known)
        return known


def _identity(connection: Connect) -> tuple[str, str | None]:
    """The host, and what a trial's answer depends on; None where KVM is out of the question."""
    uuid = capabilities.host_uuid(connection)
    if not capabilities.offers_kvm(connection):
        return uuid, None
    return uuid, f"libvirt {connection.getLibVersion()} QEMU {connection.getVersion()}"


def _remembered(file: Path, versions: str) -> str | None:
    try:
        record = json.loads(file.read_text())
        age = time.time() - file.stat().st_mtime
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict) or record.get("versions") != versions:
        return None
    if record.get("virt_type") == "qemu" and age > _NO_HOLDS_SECONDS:
        return None
    known = record.get("virt_type")
    return known if known in {"kvm", "qemu"} else None


def _remember(file: Path, versions: str, virt_type: str) -> None:
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        make_directories(file.parent)
        draft.unlink(missing_ok=True)
        with os.fdopen(new_file(draft), "w") as written:
            json.dump({"versions": versions, "virt_type": virt_type}, written)
        draft.replace(file)
    except OSError as error:
        LOG.warning("%s cannot be written (%s): KVM will be tried again", file, error.strerror)
