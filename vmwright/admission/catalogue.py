"""What a deployment has for those who ask for instances, as one transaction sees it."""

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, TypeVar

import sqlalchemy as sa

from vmwright.admission.caller import Caller
from vmwright.limits import QuotaSettings
from vmwright.persistence.records import Flavor, Image, NetworkRecord, SecurityGroupRule
from vmwright.persistence.security_groups import DEFAULT
from vmwright.persistence.stores import Stores
from vmwright.settings import Settings
from vmwright.spec import RuleSpec, SecurityGroupSpec

T = TypeVar("T")


class Catalogue:
    """Things by name or id, on behalf of one caller. What several requests name is read once."""

    def __init__(
        self, stores: Stores, connection: sa.Connection, caller: Caller, settings: Settings
    ) -> None:
        self.stores = stores
        self.connection = connection
        self.caller = caller
        self.settings = settings
        self._known: dict[tuple[Any, ...], Any] = {}
        self._groups: dict[str, SecurityGroupSpec | None] = {}

    def flavor(self, name: str) -> Flavor:
        return self._once("flavor", name, self.stores.registries.flavors.find)

    def image(self, name: str) -> Image:
        """It is not removed before the transaction has ended."""
        return self._once("image", name, self.stores.registries.images.pin)

    def network(self, name: str) -> NetworkRecord:
        return self._once("network", name, self.stores.registries.networks.find)

    def security_groups(self, names: Iterable[str]) -> tuple[SecurityGroupSpec, ...]:
        """Each once, with its rules as they are now. `NotFound`, but for the default one: that is
        made with the first instance of a project, and may not be there yet."""
        found = {}
        for name in names:
            group = self._group(name)
            if group is not None:
                found[group.id] = group
            elif name != DEFAULT:
                raise self.stores.security_groups.not_found(self.caller.project, name)
        return tuple(found.values())

    def make_default_group(self) -> None:
        """Have the project's default group be there for `security_groups`."""
        if self._group(DEFAULT) is None:
            self.stores.security_groups.ensure_default(self.connection, self.caller.project)
            self._groups.clear()

    @cached_property
    def limits(self) -> QuotaSettings:
        """The project's limits: its own where it has some, else the deployment's."""
        own = self.stores.quotas.limits(self.connection, self.caller.project)
        return self.settings.quota.overridden(own) if own else self.settings.quota

    def _group(self, name: str) -> SecurityGroupSpec | None:
        if name not in self._groups:
            groups, project = self.stores.security_groups, self.caller.project
            known = groups.with_rules(self.connection, project, name)
            self._groups[name] = known and SecurityGroupSpec(
                id=known[0].id,
                name=known[0].name,
                rules=tuple([_rule(*rule) for rule in known[1]]),
            )
        return self._groups[name]

    def _once(self, kind: str, name: str, find: Callable[[sa.Connection, str], T]) -> T:
        if (kind, name) not in self._known:
            self._known[kind, name] = find(self.connection, name)
        found: T = self._known[kind, name]
        return found


def _rule(rule: SecurityGroupRule, remote_group: str | None) -> RuleSpec:
    return RuleSpec(
        direction=rule.direction,
        ethertype=rule.ethertype,
        protocol=rule.protocol,
        port_range_min=rule.port_range_min,
        port_range_max=rule.port_range_max,
        remote_ip_prefix=rule.remote_ip_prefix,
        remote_group=remote_group,
    )
