"""Commands on security groups: what may reach an instance."""

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

from vmwright.cli.command import ForgetEach, Lister, ShowOne
from vmwright.cli.security_group_rules import RULE_COLUMNS
from vmwright.cli.values import fields_of

_COLUMNS = ("id", "name", "description", "project_id", "created_at")


class Create(ShowOne):
    """Create a security group that lets everything out and nothing in."""

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--description", default="", metavar="TEXT")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        groups = self.session.controller.inventory.security_groups
        return fields_of(groups.create(arguments.name, arguments.description), _COLUMNS)


class List(Lister):
    """List the security groups of the project."""

    shown_columns = _COLUMNS
    short_columns = ("id", "name", "description")

    def describe(self, arguments: argparse.Namespace) -> Iterable[Mapping[str, Any]]:
        del arguments
        groups = self.session.controller.inventory.security_groups.list()
        return [fields_of(group, _COLUMNS) for group in groups]


class Show(ShowOne):
    """Show a security group with its rules."""

    shown_columns = (*_COLUMNS, "rules")

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="name or id")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        groups = self.session.controller.inventory.security_groups
        group = groups.get(arguments.name)
        rules = [fields_of(rule, RULE_COLUMNS) for rule in groups.rules(group.id)]
        return {**fields_of(group, _COLUMNS), "rules": rules}


class Delete(ForgetEach):
    """Delete security groups that no instance is in."""

    def find(self, name: str) -> object:
        return self.session.controller.inventory.security_groups.get(name)

    def delete(self, name: str) -> object:
        return self.session.controller.inventory.security_groups.delete(name)
