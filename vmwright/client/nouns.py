"""What an inventory holds by noun: ports, key pairs, groups and quotas."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from vmwright.client.collection import Collection
from vmwright.client.connection import Connection
from vmwright.client.reading import named, read
from vmwright.resources.group import SecurityGroup, SecurityGroupRule, ServerGroup
from vmwright.resources.key_pair import KeyPair
from vmwright.resources.network import Port
from vmwright.resources.quota import Quota
from vmwright.resources.token import NewToken, Token


class Ports:
    """Addresses that are held before an instance has them, and after."""

    def __init__(self, connection: Connection) -> None:
        self._ports = Collection(connection, "ports", Port)

    def create(
        self, name: str, network: str, *, ip: str | None = None, mac: str | None = None
    ) -> Port:
        """Hold a MAC and an IP address of a network, chosen where none is asked for."""
        return self._ports.create(name=name, network=network, ip=ip, mac=mac)

    def all(self) -> Sequence[Port]:
        """Every port of the project, oldest first; also those that were made with an instance."""
        return self._ports.all()

    def get(self, name_or_id: str) -> Port:
        return self._ports.get(name_or_id)

    def delete(self, name_or_id: str) -> None:
        """Forget a port that no instance has."""
        self._ports.delete(name_or_id)


class KeyPairs:
    """Ssh public keys of the caller."""

    def __init__(self, connection: Connection) -> None:
        self._pairs = Collection(connection, "keypairs", KeyPair)

    def create(self, name: str, public_key: str) -> KeyPair:
        """Register a public key, as one line of OpenSSH's ``.pub`` files."""
        return self._pairs.create(name=name, public_key=public_key)

    def list(self) -> Sequence[KeyPair]:
        return self._pairs.all()

    def get(self, name_or_id: str) -> KeyPair:
        return self._pairs.get(name_or_id)

    def delete(self, name_or_id: str) -> None:
        """Forget a key pair; instances keep the key that they were built with."""
        self._pairs.delete(name_or_id)


class SecurityGroups:
    """What may reach an instance."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._groups = Collection(connection, "security-groups", SecurityGroup)
        self._rules = Collection(connection, "security-group-rules", SecurityGroupRule)

    def create(self, name: str, description: str = "") -> SecurityGroup:
        """Make a group that lets everything out and nothing in."""
        return self._groups.create(name=name, description=description)

    def list(self) -> Sequence[SecurityGroup]:
        """The groups of the project; its default one is among them."""
        return self._groups.all()

    def get(self, name_or_id: str) -> SecurityGroup:
        return self._groups.get(name_or_id)

    def rules(self, name_or_id: str) -> Sequence[SecurityGroupRule]:
        """The rules of a group, oldest first."""
        answer = self._connection.get(self._groups.of(name_or_id, "rules"))
        return read(list[SecurityGroupRule], answer)

    def delete(self, name_or_id: str) -> None:
        """Forget a group that no living instance is in and no other group's rule names."""
        self._groups.delete(name_or_id)

    def add_rule(self, name_or_id: str, direction: str, **wishes: Any) -> SecurityGroupRule:
        """Let more through. What is not said may be anything.

        `wishes` are ethertype, protocol, port_range_min, port_range_max, remote_ip_prefix and
        remote_group.
        """
        path = self._groups.of(name_or_id, "rules")
        return self._rules.post(path, direction=direction, **wishes)

    def rule(self, identifier: str) -> SecurityGroupRule:
        return self._rules.get(identifier)

    def remove_rule(self, identifier: str) -> None:
        self._rules.delete(identifier)


class ServerGroups:
    """Instances that are to be together, or apart."""

    def __init__(self, connection: Connection) -> None:
        self._groups = Collection(connection, "server-groups", ServerGroup)

    def create(self, name: str, policy: str, max_server_per_host: int | None = None) -> ServerGroup:
        """Make a group for instances to be built in."""
        return self._groups.create(
            name=name, policy=policy, max_server_per_host=max_server_per_host
        )

    def list(self) -> Sequence[ServerGroup]:
        """The groups of the project, oldest first."""
        return self._groups.all()

    def get(self, name_or_id: str) -> ServerGroup:
        return self._groups.get(name_or_id)

    def members(self, name_or_id: str) -> Sequence[str]:
        """The ids of its living instances."""
        return self._groups.get(name_or_id).members

    def delete(self, name_or_id: str) -> None:
        """Forget a group that no living instance is in."""
        self._groups.delete(name_or_id)


class Tokens:
    """What callers show to be known, for those who operate the deployment."""

    def __init__(self, connection: Connection) -> None:
        self._tokens = Collection(connection, "tokens", Token)
        self._new = Collection(connection, "tokens", NewToken)

    def create(
        self,
        name: str,
        *,
        project: str | None = None,
        user: str | None = None,
        roles: Iterable[str] | None = None,
        expires_at: datetime | None = None,
    ) -> tuple[Token, str]:
        """Make a token, and tell it: never again. `expires_at` is a time with its zone."""
        made = self._new.create(
            name=name,
            project=project,
            user=user,
            roles=None if roles is None else list(roles),
            expires_at=None if expires_at is None else expires_at.isoformat(),
        )
        return made, made.token

    def list(self) -> Sequence[Token]:
        """Every one but the service's own, oldest first; also those that are known no more."""
        return self._tokens.all()

    def get(self, name_or_id: str) -> Token:
        return self._tokens.get(name_or_id)

    def delete(self, name_or_id: str) -> None:
        """Know a token no more, from now on."""
        self._tokens.delete(name_or_id)


class Quotas:
    """What projects may have, and what they have."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, project: str | None = None) -> Sequence[Quota]:
        """Every limit of a project, by default of the caller's own, with what it has of it."""
        answer = self._connection.get(_path(project))
        return read(list[Quota], answer)

    def set(self, limits: Mapping[str, int], project: str) -> None:
        """Have these limits stand for those of the configuration; -1 is unlimited."""
        self._connection.patch(_path(project), {"limits": dict(limits)})

    def unset(self, resources: Iterable[str], project: str) -> None:
        """Have the configured limits stand again."""
        self._connection.patch(_path(project), {"unset": list(resources)})


def _path(project: str | None) -> str:
    return "quotas" if project is None else f"quotas/{named(project)}"
