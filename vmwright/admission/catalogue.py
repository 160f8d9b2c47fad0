"""What a deployment has for those who ask for instances, as one transaction sees it."""

from collections.abc import Callable, Iterator
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
        self._groups: dict[tuple[str, ...], tuple[SecurityGroupSpec, ...]] = {}

    def flavor(self, name: str) -> Flavor:
        return self._once("flavor", name, self.stores.registries.flavors.find)

    def image(self, name: str) -> Image:
        """It is not removed before the transaction has ended."""
        return self._once("image", name, self.stores.registries.images.pin)

    def network(self, name: str) -> NetworkRecord:
        return self._once("network", name, self.stores.registries.networks.find)

    def security_groups(self, names: tuple[str, ...]) -> tuple[SecurityGroupSpec, ...]:
        """In the order of the names, with their rules as they are now. `NotFound`, but for the
        default one: that is made with the first instance of a project, and may not be there yet."""
        if names not in self._groups:
            self._groups[names] = tuple(self._read_groups(names))
        return self._groups[names]

    def make_default_group(self) -> None:
        """Have the project's default group be there for `security_groups`."""
        if DEFAULT not in {group.name for group in self.security_groups((DEFAULT,))}:
            self.stores.security_groups.ensure_default(self.connection, self.caller.project)
            self._groups.clear()

    @cached_property
    def limits(self) -> QuotaSettings:
        """The project's limits: its own where it has some, else the deployment's."""
        own = self.stores.quotas.limits(self.connection, self.caller.project)
        return self.settings.quota.overridden(own) if own else self.settings.quota

    def _read_groups(self, names: tuple[str, ...]) -> Iterator[SecurityGroupSpec]:
        project = self.caller.project
        found = self.stores.security_groups.rules_of_several(self.connection, project, names)
        ids = {group.id: (group, rules) for group, rules in found}
        by_name = {group.name: (group, rules) for group, rules in found} | ids
        given: set[str] = set()
        for name in names:
            if name not in by_name:
                if name != DEFAULT:
                    raise self.stores.security_groups.not_found(project, name)
                continue
            group, rules = by_name[name]
            if group.id not in given:
                yield SecurityGroupSpec(
                    id=group.id, name=group.name, rules=tuple(_rule(*rule) for rule in rules)
                )
            given.add(group.id)

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
