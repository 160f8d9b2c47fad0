"""Commands on quotas: what projects may have."""

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

from vmwright.cli.command import Lister
from vmwright.cli.parsing import number
from vmwright.cli.values import values_of
from vmwright.errors import InvalidRequest
from vmwright.limits import PROJECT_QUOTAS

_COLUMNS = ("resource", "limit", "in_use", "configured")
_SHORT_COLUMNS = ("resource", "limit", "in_use")


class Show(Lister):
    """Show the limits of a project, and what it has of them. -1 is unlimited."""

    shown_columns = _COLUMNS
    short_columns = _SHORT_COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("project", nargs="?", metavar="PROJECT", help="by default your own")

    def describe(self, arguments: argparse.Namespace) -> Iterable[Mapping[str, Any]]:
        quotas = self.session.controller.inventory.quotas
        return [values_of(quota) for quota in quotas.list(arguments.project)]


class Set(Lister):
    """Set limits of a project, in the place of those that are configured."""

    shown_columns = _COLUMNS
    short_columns = _SHORT_COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("project", metavar="PROJECT")
        for resource in PROJECT_QUOTAS:
            parser.add_argument(
                f"--{resource.replace('_', '-')}", type=number, metavar="N", help="-1: no limit"
            )
        parser.add_argument(
            "--unset",
            action="append",
            default=[],
            choices=PROJECT_QUOTAS,
            metavar="RESOURCE",
            help="let the configured limit stand again; may be repeated",
        )

    def describe(self, arguments: argparse.Namespace) -> Iterable[Mapping[str, Any]]:
        given = {name: getattr(arguments, name) for name in PROJECT_QUOTAS}
        limits = {name: limit for name, limit in given.items() if limit is not None}
        both = limits.keys() & set(arguments.unset)
        if both or not (limits or arguments.unset):
            what = f"{min(both)} is both set and unset" if both else "no limit is given"
            raise InvalidRequest(f"quota set: {what}", hint="see: vmwright help quota set")
        quotas = self.session.controller.inventory.quotas
        quotas.set(limits, arguments.project)
        quotas.unset(arguments.unset, arguments.project)
        return [values_of(quota) for quota in quotas.list(arguments.project)]
