"""The whole look: every host, then the store. Changes nothing."""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa

from vmwright.errors import HostFault, StoreRestored, Unavailable, VmwrightError
from vmwright.ids import DeploymentId, HostId, NetworkId, OperationId
from vmwright.persistence.history import History
from vmwright.persistence.records import HostRecord
from vmwright.reconcilers.audit.absences import Expected, absent, expected_on
from vmwright.reconcilers.audit.books import books_of
from vmwright.reconcilers.audit.caches import Caches
from vmwright.reconcilers.audit.sightings import Sighting, look_at
from vmwright.reconcilers.audit.state_files import judge_state_files
from vmwright.reconcilers.audit.verdicts import (
    Books,
    Finding,
    Verdict,
    absent_claims,
    judge,
    judge_debt,
    judge_holding,
    judge_operation,
)
from vmwright.settings import AuditSettings
from vmwright.tasks.task import Means
from vmwright.waiting import Wait


class Audit:
    """Hosts are looked at before the store: whatever a build makes was in the store before."""

    def __init__(
        self,
        means: Means,
        deployment: DeploymentId,
        history: History,
        settings: AuditSettings,
        *,
        state_dir: Path,
        patience: float,
    ) -> None:
        """`patience` is how many seconds a silent host is asked."""
        self.means = means
        self.deployment = deployment
        self.settings = settings
        self.history = history
        self.state_dir = state_dir
        self.patience = patience
        self._stores = means.stores
        self._caches = Caches(means, deployment, history, settings)

    def hosts(self) -> Mapping[HostId, str]:
        """What each host is called."""
        return {host.id: host.name for host in self._rows()}

    def findings(self, stopping: threading.Event | None = None) -> list[Finding]:
        """All that is not as it should be, and what is not ours. `Cancelled` once `stopping` is
        set."""
        found: list[Finding] = []
        sightings: list[tuple[Sighting, Expected]] = []
        for host in self._rows():
            expected = expected_on(self._stores, self.deployment, host.id)
            try:
                sightings.append((self._look(host, stopping), expected))
            except (Unavailable, HostFault) as error:
                found += self._unseen(host, error)
        with self._stores.database.read() as connection:
            found += self._restored(connection)
            found += self._judged(connection, [seen for seen, _ in sightings])
        for seen, expected in sightings:
            found += self._absent(seen, expected)
        return found

    def _rows(self) -> Sequence[HostRecord]:
        with self._stores.database.read() as connection:
            return self._stores.registries.hosts.all(connection)

    def _look(self, host: HostRecord, stopping: threading.Event | None) -> Sighting:
        with self._stores.database.read() as connection:
            rows = self._stores.registries.networks.where(connection, kind="nat")
        networks = [NetworkId(row.id) for row in rows]
        wait = Wait(self.patience, cancelled=stopping)
        return look_at(self.means.backend, host, networks, wait)

    def _unseen(self, host: HostRecord, error: VmwrightError) -> Iterator[Finding]:
        """A host that cannot be looked at keeps what is owed there, and who knows what else."""
        why = f"it could not be looked at: {error.message}"
        yield Finding(kind="host", key=host.name, verdict=Verdict.UNSEEN, why=why, host=host.id)
        with self._stores.database.read() as connection:
            debts = self._stores.debts.of_host(connection, host.id)
            now = self._stores.census.clock(connection)
        yield from _some(judge_debt(debt, now) for debt in debts)

    def _restored(self, connection: sa.Connection) -> Iterator[Finding]:
        """That the store came from a backup, as long as nobody has said so."""
        try:
            self.history.check(connection)
        except StoreRestored as error:
            yield Finding(
                kind="store",
                key=self.deployment,
                verdict=Verdict.STALE,
                why=error.message,
                remedy="vmwright db restored",
            )

    def _judged(
        self, connection: sa.Connection, sightings: Sequence[Sighting]
    ) -> Iterator[Finding]:
        holdings = self._stores.census.holdings(connection)
        things = [thing for seen in sightings for thing in seen.things()]
        books = books_of(self._stores, connection, self.deployment, things, holdings)
        yield from _some(judge(thing, books) for thing in things)
        for seen in sightings:
            yield from self._networks(connection, seen, books)
            yield from self._caches.on_host(connection, seen, books)
        yield from _some(judge_holding(holding, books) for holding in holdings)
        for seen in sightings:
            settled = self._stores.census.settled_on(connection, seen.host.id)
            yield from absent_claims(settled, holdings)
        yield from self._operations(connection, sightings, books.now)
        yield from self._caches.in_image_store(connection)
        yield from judge_state_files(self._stores, connection, self.state_dir, holdings)

    def _networks(
        self, connection: sa.Connection, seen: Sighting, books: Books
    ) -> Iterator[Finding]:
        known = {row.id for row in self._stores.registries.networks.all(connection)}
        for network in seen.networks:
            if network not in known:
                owed = books.debts.get((seen.host.id, "network", network))
                why = "the store does not know it"
                yield (owed and judge_debt(owed, books.now)) or Finding(
                    kind="network",
                    key=network,
                    verdict=Verdict.UNKNOWN,
                    why=why,
                    host=seen.host.id,
                )
        for network, lease in seen.orphaned_leases():
            if not self._stores.ports.is_mac_taken(connection, lease.mac):
                yield Finding(
                    kind="lease",
                    key=f"{network}/{lease.mac}/{lease.ip}",
                    verdict=Verdict.EXPIRING,
                    why="nobody reserves that address for it any more",
                    host=seen.host.id,
                )

    def _operations(
        self, connection: sa.Connection, sightings: Sequence[Sighting], now: float
    ) -> Iterator[Finding]:
        guests: dict[OperationId, str] = {
            domain.mark.operation: seen.host.name
            for seen in sightings
            for domain in seen.domains
            if domain.mark is not None and domain.mark.deployment == self.deployment
        }
        owners = self._stores.census.owners(connection)
        for operation in self._stores.census.unfinished(connection):
            found = judge_operation(operation, owners, now, self.settings.stale_after)
            if found is not None:
                where = guests.get(operation.id)
                why = f"{found.why}; its guest is on host {where}" if where else found.why
                yield replace(found, why=why)

    def _absent(self, seen: Sighting, before: Expected) -> Iterator[Finding]:
        after = expected_on(self._stores, self.deployment, seen.host.id)
        still = set(absent(after, seen, self.deployment))
        yield from (f for f in absent(before, seen, self.deployment) if f in still)


def _some(findings: Iterable[Finding | None]) -> Iterator[Finding]:
    return (finding for finding in findings if finding is not None)
