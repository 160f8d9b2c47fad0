"""Commands on server groups: instances that are to be together, or apart."""

import argparse
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from vmwright.cli.command import ForgetEach, Lister, ShowOne
from vmwright.cli.parsing import count, pair
from vmwright.cli.values import fields_of

if TYPE_CHECKING:
    from vmwright.inventory.server_groups import ServerGroups
    from vmwright.persistence.records import ServerGroup

_COLUMNS = (
    "id",
    "name",
    "policy",
    "max_server_per_host",
    "members",
    "project_id",
    "user_id",
    "created_at",
)
_STORED = tuple(column for column in _COLUMNS if column != "members")
_POLICIES = ("affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity")
_RULE = "max_server_per_host"


class Create(ShowOne):
    """Create a server group for instances to be built in."""

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument(
            "--policy",
            choices=_POLICIES,
            default="affinity",
            help="on one host, or on different ones; the soft ones only where there is room",
        )
        parser.add_argument(
            "--rule",
            type=_most_per_host,
            metavar=f"{_RULE}=N",
            help="so many instances may be on one host; for anti-affinity",
        )

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        groups = self.session.controller.inventory.server_groups
        made = groups.create(arguments.name, arguments.policy, arguments.rule)
        return _shown(groups, made)


class List(Lister):
    """List the server groups of the project."""

    shown_columns = _COLUMNS
    short_columns = ("id", "name", "policy", "members")

    def describe(self, arguments: argparse.Namespace) -> Iterable[Mapping[str, Any]]:
        del arguments
        groups = self.session.controller.inventory.server_groups
        return [_shown(groups, group) for group in groups.list()]


class Show(ShowOne):
    """Show a server group with its instances."""

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="name or id")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        groups = self.session.controller.inventory.server_groups
        return _shown(groups, groups.get(arguments.name))


class Delete(ForgetEach):
    """Delete server groups that no instance is in."""

    def find(self, name: str) -> object:
        return self.session.controller.inventory.server_groups.get(name)

    def delete(self, name: str) -> object:
        return self.session.controller.inventory.server_groups.delete(name)


def _most_per_host(rule: str) -> int:
    key, value = pair(rule)
    if key != _RULE:
        raise argparse.ArgumentTypeError(f"the only rule is {_RULE}=N")
    return count(value)


def _shown(groups: "ServerGroups", group: "ServerGroup") -> Mapping[str, Any]:
    return {**fields_of(group, _STORED), "members": list(groups.members(group.id))}
