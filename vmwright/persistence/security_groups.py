"""Security groups: what may reach an instance, as its project says."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, TypeVar

import sqlalchemy as sa

from vmwright.errors import Conflict, NotFound
from vmwright.ids import SecurityGroupId, new_id
from vmwright.persistence.database import now
from vmwright.persistence.owned import OwnedStore
from vmwright.persistence.prepared import Prepared
from vmwright.persistence.reading import meant
from vmwright.persistence.records import Record, SecurityGroup, SecurityGroupRule
from vmwright.persistence.tables import Schema

R = TypeVar("R", bound=Record)

DEFAULT = "default"
"""The group that every project has, and that instances are in unless their request says more."""

ETHERTYPES = ("IPv4", "IPv6")


class SecurityGroupStore(OwnedStore[SecurityGroup]):
    """Security groups belong to projects, rules to security groups."""

    def __init__(self, schema: Schema) -> None:
        super().__init__(schema.security_groups, SecurityGroup, "security group", "project_id")
        self._rules = schema.security_group_rules
        self._names = self._table.c.keys()
        self._rule_names = self._rules.c.keys()

    def of_project(self, connection: sa.Connection, project: str) -> Sequence[SecurityGroup]:
        """Every security group of a project, oldest first."""
        return self._all(connection, project)

    def ensure_default(self, connection: sa.Connection, project: str) -> SecurityGroup:
        """The project's default group: out goes everything, in comes what its own members send.

        Made on first use; of several processes that ask at once, one makes it.
        """
        known = self.known(connection, project, DEFAULT)
        if known is not None:
            return known
        group = SecurityGroup(
            id=SecurityGroupId(new_id()),
            project_id=project,
            name=DEFAULT,
            description="Default security group",
        )
        try:
            self.add(connection, group)
        except Conflict:
            return self._committed_default(connection, project)
        for rule in (*egress_rules(group.id), *_ingress_from_members(group.id)):
            self.add_rule(connection, rule)
        return self.find(connection, project, group.id)

    def name_of(self, connection: sa.Connection, group: SecurityGroupId) -> str:
        """The name of a group, in whatever project it is; `NotFound` if there is none."""
        name = connection.execute(
            sa.select(self._table.c.name).where(self._table.c.id == group)
        ).scalar()
        if name is None:
            raise NotFound(f"no security group {group!r}", hint=self._where_to_look())
        return str(name)

    def remove(self, connection: sa.Connection, identifier: str) -> None:
        """Forget a group and its rules.

        `Conflict` if it is a default group, or if a rule of another group refers to it.
        """
        if self.name_of(connection, SecurityGroupId(identifier)) == DEFAULT:
            raise Conflict(
                "security group 'default' cannot be removed: every project has one",
                hint="remove its rules instead: vmwright security group rule delete ID",
            )
        connection.execute(sa.delete(self._rules).where(self._rules.c.group_id == identifier))
        super().remove(connection, identifier)

    # Rules.

    def rules(
        self, connection: sa.Connection, group: SecurityGroupId
    ) -> Sequence[SecurityGroupRule]:
        """The rules of a group, oldest first."""
        rows = connection.execute(
            sa.select(self._rules)
            .where(self._rules.c.group_id == group)
            .order_by(self._rules.c.seq)
        )
        return [SecurityGroupRule.of(row) for row in rows]

    def find_rule(
        self, connection: sa.Connection, project: str, identifier: str
    ) -> SecurityGroupRule:
        """The rule with this id, if it belongs to a group of the project; else `NotFound`."""
        row = connection.execute(
            sa.select(self._rules)
            .join(self._table, self._table.c.id == self._rules.c.group_id)
            .where(self._rules.c.id == identifier, self._table.c.project_id == project)
        ).one_or_none()
        if row is None:
            raise NotFound(
                f"no security group rule {identifier!r} in project {project!r}",
                hint="see: vmwright security group rule list",
            )
        return SecurityGroupRule.of(row)

    def count_rules(self, connection: sa.Connection, project: str) -> int:
        """How many rules all groups of a project have."""
        return connection.execute(
            sa.select(sa.func.count())
            .select_from(self._rules)
            .join(self._table, self._table.c.id == self._rules.c.group_id)
            .where(self._table.c.project_id == project)
        ).scalar_one()

    def with_rules(
        self, connection: sa.Connection, project: str, name_or_id: str
    ) -> tuple[SecurityGroup, Sequence[tuple[SecurityGroupRule, str | None]]] | None:
        """The project's group with this name or id, or None; with its rules, oldest first, and
        the name of the group that a rule refers to."""
        rows = self._reading.select(connection, {"project": project, "key": name_or_id})
        width, rules = len(self._names), len(self._rule_names)
        known = dict.fromkeys([row[:width] for row in rows])
        groups = {values: _of(SecurityGroup, self._names, values) for values in known}
        group = meant(list(groups.values()), name_or_id)
        if group is None:
            return None
        found = [row[width:] for row in rows if groups[row[:width]] is group]
        return group, [
            (_of(SecurityGroupRule, self._rule_names, row[:rules]), row[rules])
            for row in found
            if row[0] is not None
        ]

    @cached_property
    def _reading(self) -> Prepared:
        group, rule, remote = self._table, self._rules, self._table.alias("remote")
        key: sa.BindParameter[str] = sa.bindparam("key", type_=sa.String)
        return Prepared(
            sa.select(group, *rule.c, remote.c.name)
            .outerjoin(rule, rule.c.group_id == group.c.id)
            .outerjoin(remote, remote.c.id == rule.c.remote_group_id)
            .where(
                group.c.project_id == sa.bindparam("project", type_=sa.String),
                (group.c.id == key) | (group.c.name == key),
            )
            .order_by(group.c.seq, rule.c.seq)
        )

    def add_rule(self, connection: sa.Connection, rule: SecurityGroupRule) -> None:
        """Store a new rule."""
        values = rule.values() | {"created_at": now()}
        connection.execute(sa.insert(self._rules).values(values))

    def remove_rule(self, connection: sa.Connection, rule: str) -> None:
        """Forget a rule, by its id."""
        connection.execute(sa.delete(self._rules).where(self._rules.c.id == rule))

    def _committed_default(self, connection: sa.Connection, project: str) -> SecurityGroup:
        """What another process has stored meanwhile, also where snapshots would hide it."""
        row = connection.execute(
            self._of(project).where(self._table.c.name == DEFAULT).with_for_update(read=True)
        ).one()
        return SecurityGroup.of(row)


def _of(record: type[R], names: Sequence[str], values: Sequence[Any]) -> R:
    return record(**dict(zip(names, values, strict=True)))


def egress_rules(group: SecurityGroupId) -> Sequence[SecurityGroupRule]:
    """What every new group has: everything may go out."""
    return [_rule(group, "egress", ethertype) for ethertype in ETHERTYPES]


def _ingress_from_members(group: SecurityGroupId) -> Sequence[SecurityGroupRule]:
    return [_rule(group, "ingress", ethertype, members=group) for ethertype in ETHERTYPES]


def _rule(
    group: SecurityGroupId, direction: str, ethertype: str, members: SecurityGroupId | None = None
) -> SecurityGroupRule:
    return SecurityGroupRule(
        id=new_id(),
        group_id=group,
        direction=direction,
        ethertype=ethertype,
        remote_group_id=members,
    )
