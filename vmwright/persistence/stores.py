"""Every store of one deployment, as one value to hand on."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from vmwright.persistence.attempts import AttemptStore
from vmwright.persistence.census import Census
from vmwright.persistence.claims import ClaimStore
from vmwright.persistence.database import Database
from vmwright.persistence.debts import DebtStore
from vmwright.persistence.event_log import EventLog
from vmwright.persistence.host_loads import HostLoadStore
from vmwright.persistence.instances import InstanceStore
from vmwright.persistence.key_pairs import KeyPairStore
from vmwright.persistence.lists import Lists
from vmwright.persistence.operations import OperationStore
from vmwright.persistence.owners import OwnerStore
from vmwright.persistence.ports import PortStore
from vmwright.persistence.pruning import PruneStore
from vmwright.persistence.quotas import QuotaStore
from vmwright.persistence.registries import Registries
from vmwright.persistence.searching import Search
from vmwright.persistence.secrets import SecretStore
from vmwright.persistence.security_groups import SecurityGroupStore
from vmwright.persistence.server_groups import ServerGroupStore
from vmwright.persistence.snapshots import SnapshotStore
from vmwright.persistence.tallies import TallyStore
from vmwright.persistence.tokens import TokenStore
from vmwright.persistence.volumes import VolumeStore

if TYPE_CHECKING:
    from vmwright.persistence.group_commit import GroupCommit


@dataclass(frozen=True)
class Stores:
    """Verbs take the connection of the caller's transaction: what belongs together commits so."""

    database: Database
    registries: Registries
    instances: InstanceStore
    operations: OperationStore
    attempts: AttemptStore
    owners: OwnerStore
    claims: ClaimStore
    host_loads: HostLoadStore
    ports: PortStore
    volumes: VolumeStore
    snapshots: SnapshotStore
    debts: DebtStore
    secrets: SecretStore
    key_pairs: KeyPairStore
    security_groups: SecurityGroupStore
    server_groups: ServerGroupStore
    quotas: QuotaStore
    tokens: TokenStore
    census: Census
    lists: Lists
    search: Search
    events: EventLog
    tallies: TallyStore
    pruning: PruneStore

    @cached_property
    def group(self) -> "GroupCommit":
        """Whoever runs nothing needs none, and nothing of TaskFlow."""
        from vmwright.persistence.group_commit import GroupCommit
        from vmwright.persistence.run_rows import RunRows

        return GroupCommit(self.database, self.operations, RunRows(self.database.schema))

    @classmethod
    def of(cls, database: Database, key_file: Path) -> "Stores":
        schema = database.schema
        operations = OperationStore(schema)
        lists = Lists(schema, operations)
        return cls(
            database=database,
            registries=Registries(schema),
            instances=InstanceStore(schema),
            operations=operations,
            attempts=AttemptStore(schema),
            owners=OwnerStore(schema),
            claims=ClaimStore(schema),
            host_loads=HostLoadStore(schema),
            ports=PortStore(schema),
            volumes=VolumeStore(schema),
            snapshots=SnapshotStore(schema),
            debts=DebtStore(schema),
            secrets=SecretStore(schema, key_file),
            key_pairs=KeyPairStore(schema),
            security_groups=SecurityGroupStore(schema),
            server_groups=ServerGroupStore(schema),
            quotas=QuotaStore(schema),
            tokens=TokenStore(schema),
            census=Census(schema),
            lists=lists,
            search=Search(schema, lists, operations),
            events=EventLog(schema),
            tallies=TallyStore(schema),
            pruning=PruneStore(schema),
        )
