"""Security groups and their rules, with Neutron's words and checks."""

import ipaddress
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

import sqlalchemy as sa
from pydantic import BeforeValidator, Field, model_validator

from vmwright.admission import Caller
from vmwright.admission.gate import Rights
from vmwright.errors import Conflict
from vmwright.ids import SecurityGroupId, new_id
from vmwright.inventory.limits import Limits
from vmwright.persistence.records import SecurityGroup, SecurityGroupRule
from vmwright.persistence.retrying import again_if_given_up
from vmwright.persistence.security_groups import DEFAULT, egress_rules
from vmwright.persistence.stores import Stores
from vmwright.request.fields import Description, Name, NameOrId
from vmwright.request.model import Model
from vmwright.spec import Spec

_WITH_PORTS = ("tcp", "udp")
_WITH_TYPES = ("icmp", "icmpv6")
_NUMBERS = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6"}
_WORDS = frozenset(_NUMBERS.values())
_FAMILIES = {"IPv4": 4, "IPv6": 6}


def _protocol(given: object) -> str | None:
    """The protocol in one form: a name where there is one, None for any."""
    word = "any" if given is None else str(given).strip().lower()
    if word == "any":
        return None
    if word.isascii() and word.isdecimal() and int(word) <= 255:
        number = str(int(word))
        return _NUMBERS.get(number, number)
    if word not in _WORDS:
        known = ", ".join(sorted(_WORDS))
        raise ValueError(f"a protocol is any, one of {known}, or a number from 0 to 255")
    return word


def _prefix(given: object) -> str | None:
    if given is None:
        return None
    try:
        return str(ipaddress.ip_network(str(given), strict=False))
    except ValueError:
        raise ValueError("this is neither an address nor a network such as 10.1.0.0/24") from None


class NewSecurityGroup(Model):
    """A named set of rules."""

    name: Name
    description: Description = ""


class NewRule(Model):
    """What a group lets through. For ICMP the two ports are its type and code."""

    direction: Literal["ingress", "egress"]
    ethertype: Literal["IPv4", "IPv6"] = "IPv4"
    protocol: Annotated[str | None, BeforeValidator(_protocol)] = None
    port_range_min: Annotated[int, Field(ge=0, le=65535, strict=True)] | None = None
    port_range_max: Annotated[int, Field(ge=0, le=65535, strict=True)] | None = None
    remote_ip_prefix: Annotated[str | None, BeforeValidator(_prefix)] = None
    remote_group: NameOrId | None = None

    @model_validator(mode="after")
    def _ports_fit(self) -> Self:
        first, last = self.port_range_min, self.port_range_max
        if self.protocol in _WITH_TYPES:
            self._check_types(first, last)
        elif self.protocol in _WITH_PORTS:
            self._check_ports(first, last)
        elif first is not None or last is not None:
            raise ValueError("ports go with protocol tcp or udp, types and codes with icmp")
        return self

    @model_validator(mode="after")
    def _remote_fits(self) -> Self:
        if self.remote_ip_prefix is not None:
            if self.remote_group is not None:
                raise ValueError("say remote_ip_prefix or remote_group, not both")
            if ipaddress.ip_network(self.remote_ip_prefix).version != _FAMILIES[self.ethertype]:
                raise ValueError(f"{self.remote_ip_prefix} is not {self.ethertype}")
        if self.protocol == "icmpv6" and self.ethertype == "IPv4":
            raise ValueError("protocol icmpv6 goes with ethertype IPv6")
        return self

    @staticmethod
    def _check_ports(first: int | None, last: int | None) -> None:
        if first is None and last is None:
            return
        if first is None or last is None:
            raise ValueError("say both port_range_min and port_range_max, or neither")
        if not 1 <= first <= last:
            raise ValueError("ports are from 1 to 65535, and the first is not above the last")

    @staticmethod
    def _check_types(kind: int | None, code: int | None) -> None:
        if kind is None and code is not None:
            raise ValueError("an ICMP code (port_range_max) needs a type (port_range_min)")
        if any(value is not None and value > 255 for value in (kind, code)):
            raise ValueError("an ICMP type and code are from 0 to 255")


class SecurityGroups:
    """The security groups of the caller's project. They are told to guests, and not enforced."""

    def __init__(self, stores: Stores, limits: Limits, caller: Caller, rights: Rights) -> None:
        self._stores = stores
        self._database = stores.database
        self._rows = stores.security_groups
        self._limits = limits
        self._rights = rights
        self._project = caller.project

    @again_if_given_up
    def create(self, name: str, description: str = "") -> SecurityGroup:
        """Make a group that lets everything out and nothing in.

        `Conflict` if the name is taken, `QuotaExceeded` if there are too many.
        """
        self._rights.change()
        wish = NewSecurityGroup.parse(name=name, description=description)
        group = SecurityGroup(
            id=SecurityGroupId(new_id()),
            project_id=self._project,
            name=wish.name,
            description=wish.description,
        )
        self._ensure_default()
        with self._database.write() as connection:
            self._limits.hold(connection)
            held = self._rows.count(connection, self._project)
            self._limits.refuse_excess(connection, "security_groups", held)
            self._rows.add(connection, group)
            for rule in egress_rules(group.id):
                self._rows.add_rule(connection, rule)
            return self._rows.find(connection, self._project, group.id)

    def list(self) -> Sequence[SecurityGroup]:
        """Every group of the project, its default one first."""
        self._ensure_default()
        with self._database.read() as connection:
            return self._rows.of_project(connection, self._project)

    def get(self, name_or_id: str) -> SecurityGroup:
        self._ensure_default()
        with self._database.read() as connection:
            return self._find(connection, name_or_id)

    def rules(self, name_or_id: str) -> Sequence[SecurityGroupRule]:
        """The rules of a group, oldest first."""
        self._ensure_default()
        with self._database.read() as connection:
            return self._rows.rules(connection, self._find(connection, name_or_id).id)

    @again_if_given_up
    def delete(self, name_or_id: str) -> SecurityGroup:
        """Forget a group that no living instance is in and no other group's rule names."""
        self._rights.change()
        with self._database.write() as connection:
            group = self._find(connection, name_or_id)
            self._refuse_used(connection, group)
            self._rows.remove(connection, group.id)
        return group

    @again_if_given_up
    def add_rule(self, name_or_id: str, direction: str, **wishes: Any) -> SecurityGroupRule:
        """Let more through; `wishes` are the other fields of `NewRule`.

        `InvalidRequest` for what no packet could match, `Conflict` if the group has such a rule,
        `QuotaExceeded` if there are too many.
        """
        self._rights.change()
        wish = NewRule.parse(direction=direction, **wishes)
        self._ensure_default()
        with self._database.write() as connection:
            self._limits.hold(connection)
            group = self._find(connection, name_or_id)
            rule = self._rule(connection, group, wish)
            self._refuse_known(connection, group, rule)
            held = self._rows.count_rules(connection, self._project)
            self._limits.refuse_excess(connection, "security_group_rules", held)
            self._rows.add_rule(connection, rule)
            return self._rows.find_rule(connection, self._project, rule.id)

    def rule(self, identifier: str) -> SecurityGroupRule:
        """The rule with this id."""
        with self._database.read() as connection:
            return self._rows.find_rule(connection, self._project, identifier)

    @again_if_given_up
    def remove_rule(self, identifier: str) -> SecurityGroupRule:
        """Forget a rule, by its id."""
        self._rights.change()
        with self._database.write() as connection:
            rule = self._rows.find_rule(connection, self._project, identifier)
            self._rows.remove_rule(connection, rule.id)
        return rule

    @again_if_given_up
    def _ensure_default(self) -> None:
        """Every project has its default group, as soon as anybody looks."""
        with self._database.read() as connection:
            known = self._rows.known(connection, self._project, DEFAULT)
        if known is None:
            with self._database.write() as connection:
                self._rows.ensure_default(connection, self._project)

    def _find(self, connection: sa.Connection, name_or_id: str) -> SecurityGroup:
        return self._rows.find(connection, self._project, name_or_id)

    def _rule(
        self, connection: sa.Connection, group: SecurityGroup, wish: NewRule
    ) -> SecurityGroupRule:
        remote = wish.remote_group
        return SecurityGroupRule(
            id=new_id(),
            group_id=group.id,
            remote_group_id=None if remote is None else self._find(connection, remote).id,
            **wish.model_dump(exclude={"remote_group"}),
        )

    def _refuse_known(
        self, connection: sa.Connection, group: SecurityGroup, rule: SecurityGroupRule
    ) -> None:
        for known in self._rows.rules(connection, group.id):
            if _matches(known) == _matches(rule):
                raise Conflict(
                    f"security group {group.name!r} has such a rule already: {known.id}",
                    hint=f"see: vmwright security group rule list {group.id}",
                )

    def _refuse_used(self, connection: sa.Connection, group: SecurityGroup) -> None:
        for instance in self._stores.instances.mentioning(connection, group.id):
            spec = Spec.from_store(instance.request)
            if group.id in {known.id for known in spec.security_groups}:
                raise Conflict(
                    f"security group {group.name!r} is in use by instance {instance.name!r}",
                    hint=f"delete it first: vmwright delete {instance.id}",
                )


def _matches(rule: SecurityGroupRule) -> dict[str, Any]:
    """What a rule says, apart from which one it is."""
    return {k: v for k, v in rule.values().items() if k not in ("id", "created_at")}
