"""The deployment in numbers, as it is at one moment, and how the process that looks stands."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from vmwright.backends.circuit import Board, Condition
from vmwright.ids import HostId, OperationId
from vmwright.persistence.durations import Durations
from vmwright.persistence.host_loads import UNUSED, HostLoad
from vmwright.persistence.records import Attempt, HostRecord
from vmwright.persistence.stores import Stores
from vmwright.persistence.tallies import Owed, Unfinished
from vmwright.settings import Settings
from vmwright.states import OperationState
from vmwright.worker import Standing


class HostStanding(NamedTuple):
    """A host, what is on it, and whether it answers."""

    host: HostRecord
    load: HostLoad
    condition: Condition
    """The worst that a controller of this machine says."""


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """What the store says: the same whoever asks."""

    operations: Mapping[OperationState, Unfinished]
    debts: Sequence[Owed]
    hosts: Sequence[HostStanding]
    owners: int
    """Processes that hold a lease."""


class Overview:
    """Reads anew whenever it is asked. What it costs grows with what lives, never with history."""

    def __init__(
        self, stores: Stores, settings: Settings, standing: Callable[[], Standing]
    ) -> None:
        self._stores = stores
        self._board = Board(settings.state_dir)
        self._window = settings.scheduler.failure_window
        self._standing = standing

    def numbers(self) -> Numbers:
        """`StoreUnavailable` if it does not answer."""
        stores = self._stores
        with stores.database.read() as connection:
            hosts = stores.registries.hosts.all(connection)
            loads = stores.host_loads.all(connection, failure_window=self._window)
            operations = stores.tallies.operations(connection)
            debts = stores.tallies.debts(connection)
            owners = stores.tallies.living_owners(connection)
        return Numbers(
            operations=operations,
            debts=debts,
            owners=owners,
            hosts=[
                HostStanding(
                    host, loads.get(host.id, UNUSED), self._board.condition(host.connection_uri)
                )
                for host in hosts
            ],
        )

    def attempts(
        self, operations: Collection[OperationId]
    ) -> tuple[Sequence[Attempt], Mapping[HostId, HostRecord]]:
        """Every try on a host of these, and the hosts that are still registered."""
        lists = self._stores.lists
        with self._stores.database.read() as connection:
            found = lists.attempts_of(connection, operations)
            attempts = [attempt for those in found.values() for attempt in those]
            placed = {attempt.host_id for attempt in attempts if attempt.host_id is not None}
            return attempts, lists.hosts(connection, placed)

    def transactions(self) -> Mapping[str, Durations]:
        """How long this process's own took, by what they were for."""
        database = self._stores.database
        return {"read": database.reads, "write": database.writes}

    def process(self) -> Standing:
        """How this process stands, which need not ask the store."""
        return self._standing()
