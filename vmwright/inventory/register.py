"""What all registered things share: turns, unique names, and what hosts owe after a removal."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import sqlalchemy as sa

from vmwright.admission.gate import Rights
from vmwright.backends.removal import Kind
from vmwright.ids import DeploymentId, HostId, InstanceId, Whose
from vmwright.persistence.registries import R, Registry
from vmwright.persistence.stores import Stores


class Register:
    """The rows of everything that is registered in a deployment."""

    def __init__(self, stores: Stores, deployment: DeploymentId, rights: Rights) -> None:
        self.stores = stores
        self.rights = rights
        self.deployment = deployment

    @contextmanager
    def turn(self) -> Iterator[sa.Connection]:
        """A transaction in which nobody else changes what is registered."""
        with self.stores.database.write() as connection:
            self.stores.registries.take_turn(connection)
            yield connection

    def find(self, registry: Registry[R], name_or_id: str) -> R:
        with self.stores.database.read() as connection:
            return registry.find(connection, name_or_id)

    def all(self, registry: Registry[R]) -> Sequence[R]:
        with self.stores.database.read() as connection:
            return registry.all(connection)

    def refuse_taken(self, registry: Registry[R], **values: str) -> None:
        """Refuse before something slow begins; the transaction that stores it checks again."""
        with self.stores.database.read() as connection:
            registry.refuse_taken(connection, **values)

    def owe_everywhere(self, connection: sa.Connection, kind: Kind, key: str) -> None:
        """Have this removed from every host, as debts are paid."""
        for host in self.stores.registries.hosts.all(connection):
            self.owe(connection, host.id, kind, key, InstanceId(""))

    def owe(
        self,
        connection: sa.Connection,
        host: HostId,
        kind: Kind,
        key: str,
        maker: InstanceId,
        *,
        reason: str = "deleted",
        delay: float = 0.0,
    ) -> None:
        """Have what `maker`'s operations made removed from a host, as debts are paid, but not
        within `delay` seconds."""
        self.stores.debts.owe(
            connection,
            host=host,
            kind=kind,
            key=key,
            whose=Whose(deployment=self.deployment, instance=maker).to_store(),
            reason=reason,
            delay=delay,
            operation=None,
            instance=None,
        )


def added(connection: sa.Connection, registry: Registry[R], record: R) -> R:
    """Store it and return it as it was stored; `Conflict` if its name is taken."""
    registry.add(connection, record)
    return registry.find(connection, record.values()["id"])


def merged(
    known: Mapping[str, str], given: Mapping[str, str], without: Iterable[str]
) -> dict[str, str]:
    """What is known without some keys, and with what is given."""
    gone = set(without)
    return {key: value for key, value in known.items() if key not in gone} | dict(given)
