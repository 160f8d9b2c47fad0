"""The command that shows what `create` would do."""

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vmwright.cli.command import Columns
from vmwright.cli.create import Create
from vmwright.cli.create_flags import add_request_options
from vmwright.cli.values import DATA_FORMATS, values_of

if TYPE_CHECKING:
    from vmwright.planning import Plan as Planned
    from vmwright.request import CreateRequest

_COLUMNS = ("name", "host", "hosts", "addresses", "disks", "definition", "graph", "remarks")
_SHORT_COLUMNS = ("name", "host", "addresses", "remarks")
_GIB = 2**30


class Plan(Create):
    """Show what `create` would do with the same words, and do none of it.

    ``-f`` takes an output format, or a YAML file of requests as `spec` prints them.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", nargs="?")
        parser.add_argument(
            "--spec", metavar="FILE", help="plan what this YAML file describes; see: vmwright spec"
        )
        add_request_options(parser)

    def choose_columns(self, arguments: argparse.Namespace) -> Columns:
        del arguments
        return _COLUMNS

    def choose_short_columns(self, arguments: argparse.Namespace) -> Columns:
        del arguments
        return _SHORT_COLUMNS

    def _build(
        self, requests: "Sequence[CreateRequest]", arguments: argparse.Namespace
    ) -> list[Mapping[str, Any]]:
        plans = self.session.controller.plan(*requests)
        reading = _whole if arguments.formatter in DATA_FORMATS else _in_words
        return [reading(plan) for plan in plans]


def _whole(plan: "Planned") -> Mapping[str, Any]:
    """For programs."""
    from vmwright.views.as_json import document

    return _fields(plan) | {"graph": document(plan.graph)}


def _in_words(plan: "Planned") -> Mapping[str, Any]:
    """For people: a line for each thing."""
    from vmwright.views import text

    return _fields(plan) | {
        "hosts": "\n".join(
            f"{verdict.host}: {verdict.reason or f'may take it, weight {verdict.weight:g}'}"
            for verdict in plan.hosts
        ),
        "addresses": "\n".join(
            f"{address.network}={address.ip or 'none'} ({address.origin})"
            for address in plan.addresses
        ),
        "disks": "\n".join(
            f"{disk.role} {disk.name}: {_size(disk.size_bytes)}, {disk.source}"
            for disk in plan.disks
        ),
        "graph": text.render(plan.graph).rstrip(),
        "remarks": "\n".join(plan.remarks),
    }


def _fields(plan: "Planned") -> dict[str, Any]:
    return {
        "name": plan.name,
        "host": plan.host,
        "hosts": [values_of(verdict) for verdict in plan.hosts],
        "addresses": [values_of(address) for address in plan.addresses],
        "disks": [values_of(disk) for disk in plan.disks],
        "definition": plan.definition,
        "remarks": list(plan.remarks),
    }


def _size(size_bytes: int | None) -> str:
    return "as large as its content" if size_bytes is None else f"{size_bytes / _GIB:g} GiB"
