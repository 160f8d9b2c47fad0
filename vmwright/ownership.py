"""Who runs operations: one owner per controller, alive while its lock is held or renewed."""

import fcntl
import logging
import math
import os
import platform
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vmwright.errors import StoreUnavailable, Unavailable
from vmwright.flows import known_flows
from vmwright.ids import OperationId, OwnerId, new_id
from vmwright.persistence.outage import Outage
from vmwright.persistence.records import Owner
from vmwright.persistence.stores import Stores
from vmwright.private_files import is_unlocked, new_file, own_directory

LOG = logging.getLogger(__name__)

_MACHINE_ID = Path("/etc/machine-id")

Beat = Callable[[Mapping[OperationId, str | None], float], None]
"""Called after each renewal with the operations that are ours, why somebody wants them cancelled
if so, and since when that is so at the latest, by `lease_clock`."""


lease_clock = partial(time.clock_gettime, time.CLOCK_BOOTTIME)
"""Seconds on a clock that nobody sets and that goes on while the machine sleeps: others do not
sleep with it, and take over what a sleeper had."""


def machine() -> str:
    """What tells this machine from others that share the store."""
    try:
        return _MACHINE_ID.read_text().strip() or platform.node()
    except OSError:
        return platform.node()


def is_dead(owner: Owner, *, expired: bool, here: str) -> bool:
    """Whether nobody speaks for this owner any more.

    On its own machine a free lock proves death at once. Anywhere else, and where the lock's file
    cannot be seen, only its expiry counts. No process id is ever compared.
    """
    return expired or lets_go(owner, here)


def lets_go(owner: Owner, here: str) -> bool:
    """Whether its lock, on its own machine, proves that it is dead."""
    return owner.machine == here and is_unlocked(Path(owner.lock_path))


@dataclass(frozen=True, kw_only=True)
class _Renewal:
    """What the store said when our lease was last prolonged."""

    at: float
    """Before it was asked, by `lease_clock`."""
    ours: Collection[OperationId]


class Ownership:
    """This process's owner: its row, its lock, and the thread that renews it.

    `flock` and not `lockf`: another controller of the same process must find the lock taken.
    """

    def __init__(self, stores: Stores, state_dir: Path, lease: float) -> None:
        self.id = OwnerId(new_id())
        self._stores = stores
        self._path = state_dir / "owners" / f"{self.id}.lock"
        self._lease = lease
        self._outage = Outage(f"owner {self.id} cannot be renewed")
        self._renewal = _Renewal(at=-math.inf, ours=())
        self._closing = threading.Event()
        self._descriptor: int | None = None
        self._thread: threading.Thread | None = None

    def start(self, beat: Beat) -> None:
        """Take the lock, write the row, and keep both; call `beat` after each renewal.

        Raises `StoreUnavailable` or `Unavailable`; it may then be called again.
        """
        if self._descriptor is None:
            self._descriptor = self._locked()
        self._add_row()
        self.forget_the_dead()
        self._thread = threading.Thread(
            target=self._renew_until_closed, args=[beat], name="vmwright-owner", daemon=True
        )
        self._thread.start()

    def trusts(self, operation: OperationId, since: float) -> bool:
        """Whether nobody can have taken over this operation, which was ours at `since`.

        Our lease holds, and the operation was still ours when it was last prolonged: a process
        that was stopped past its lease gets a new one, but not what was taken from it.
        """
        renewal = self._renewal
        if lease_clock() >= renewal.at + self._lease:
            return False
        return since >= renewal.at or operation in renewal.ours

    def lease_left(self) -> float | None:
        """Seconds for which our word is still good, if the store is not heard of again; None if
        it was never given."""
        if self._thread is None:
            return None
        return max(0.0, self._renewal.at + self._lease - lease_clock())

    def is_kept(self) -> bool:
        """Whether the thread that renews it is there."""
        return self._thread is not None and self._thread.is_alive()

    def forget_the_dead(self) -> None:
        """Remove rows and locks of those who are gone and whom no operation names."""
        here = machine()
        with self._stores.database.read() as connection:
            owners = self._stores.owners.all(connection)
        for owner, expired in owners:
            if owner.id == self.id or not is_dead(owner, expired=expired, here=here):
                continue
            with self._stores.database.write() as connection:
                forgotten = self._stores.owners.remove(connection, owner.id)
            path = Path(owner.lock_path)
            if forgotten and path.parent == self._path.parent and is_unlocked(path):
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Stop renewing; forget the row unless operations still name it; free the lock."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
        if self._descriptor is None:
            return
        try:
            with self._stores.database.write() as connection:
                forgotten = self._stores.owners.remove(connection, self.id)
        except StoreUnavailable as error:
            LOG.warning("owner %s could not be forgotten: %s", self.id, error)
            forgotten = False
        if forgotten:
            self._path.unlink(missing_ok=True)
        # A row that stays is known to be of the dead by this file, which nobody holds now.
        os.close(self._descriptor)
        self._descriptor = None

    def _locked(self) -> int:
        try:
            own_directory(self._path.parent)
            descriptor = new_file(self._path)
        except OSError as error:
            raise Unavailable(
                f"the lock {self._path} cannot be made: {error.strerror}",
                hint="state_dir must be a directory that this user may write",
            ) from error
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return descriptor

    def _add_row(self) -> None:
        began = lease_clock()
        with self._stores.database.write() as connection:
            # It may be there: a commit whose answer was lost.
            if not self._stores.owners.renew(connection, self.id, self._lease):
                self._stores.owners.add(
                    connection,
                    self.id,
                    machine=machine(),
                    lock_path=str(self._path),
                    lease=self._lease,
                    flows=known_flows(),
                )
        self._renewal = _Renewal(at=began, ours=())

    def _renew_until_closed(self, beat: Beat) -> None:
        while not self._closing.wait(min(1.0, self._lease / 3)):
            try:
                began = lease_clock()
                beat(self._renew(), began)
                self._outage.over()
            except StoreUnavailable as error:
                self._outage.noticed(error)
            except Exception:
                # A thread that ended here would have everything of ours taken over.
                LOG.exception("owner %s could not be renewed", self.id)

    def _renew(self) -> Mapping[OperationId, str | None]:
        began = lease_clock()
        with self._stores.database.write() as connection:
            known = self._stores.owners.renew(connection, self.id, self._lease)
            ours = self._stores.operations.held_by(connection, self.id)
        if known:
            self._renewal = _Renewal(at=began, ours=frozenset(ours))
        else:
            self._add_row()
        return ours
