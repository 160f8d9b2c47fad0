"""Commands on hosts: the machines that run instances."""

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

from vmwright.cli.command import DeleteEach, Lister, ShowOne
from vmwright.cli.parsing import count, gib, ratio, seconds
from vmwright.cli.values import fields_of, values_of
from vmwright.errors import InvalidRequest

_COLUMNS = (
    "id",
    "name",
    "connection_uri",
    "hypervisor_uuid",
    "hypervisor_type",
    "architecture",
    "address",
    "zone",
    "traits",
    "enabled",
    "disabled_reason",
    "draining",
    "vcpus",
    "memory_mib",
    "disk_gib",
    "vcpu_ratio",
    "memory_ratio",
    "disk_ratio",
    "created_at",
)
_USE_COLUMNS = ("claimed_vcpus", "claimed_memory_mib", "claimed_disk_gib", "instances")
_CIRCUIT_COLUMNS = ("circuit", "silent_since", "silent_reason", "unanswered_calls")
_NO_REASON = "no reason given"
_FIGURES = {
    "vcpus": "vcpus",
    "memory": "memory_mib",
    "disk": "disk_gib",
    "vcpu_ratio": "vcpu_ratio",
    "memory_ratio": "memory_ratio",
    "disk_ratio": "disk_ratio",
    "zone": "zone",
    "address": "address",
}
"""Options, and the library's names for them."""


class Create(ShowOne):
    """Register a host. It is asked what it has; figures given here win over its own."""

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--uri", required=True, help="where it is, such as qemu:///system")
        _add_figures(parser)

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        host = self.session.controller.inventory.create_host(
            arguments.name, arguments.uri, traits=arguments.traits, **_figures(arguments)
        )
        return fields_of(host, _COLUMNS)


class List(Lister):
    """List hosts."""

    shown_columns = _COLUMNS
    short_columns = ("name", "connection_uri", "zone", "enabled", "draining", "vcpus", "memory_mib")

    def describe(self, arguments: argparse.Namespace) -> Iterable[Mapping[str, Any]]:
        del arguments
        return [fields_of(one, _COLUMNS) for one in self.session.controller.inventory.hosts()]


class Show(ShowOne):
    """Show a host, what is claimed of it, how many instances live there, and whether the
    controllers of this machine reach it."""

    shown_columns = (*_COLUMNS, *_USE_COLUMNS, *_CIRCUIT_COLUMNS)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="name or id")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        from vmwright.descriptions import moment

        inventory = self.session.controller.inventory
        host = inventory.host(arguments.name)
        use = inventory.host_use(host.id)
        claimed = {f"claimed_{name}": value for name, value in values_of(use.claimed).items()}
        return {
            **fields_of(host, _COLUMNS),
            **claimed,
            "instances": use.instances,
            "circuit": use.condition.state,
            "silent_since": moment(use.condition.since),
            "silent_reason": use.condition.reason,
            "unanswered_calls": use.condition.unanswered,
        }


class Set(ShowOne):
    """Change what is said of a host. Instances that are there stay."""

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="name or id")
        verb = parser.add_mutually_exclusive_group()
        verb.add_argument("--enable", action="store_true", help="take new instances")
        verb.add_argument("--disable", action="store_true", help="take no new instances")
        parser.add_argument("--reason", help="why it is disabled: shown to those it is kept from")
        _add_figures(parser)
        parser.add_argument(
            "--without-trait",
            dest="without_traits",
            action="append",
            default=[],
            metavar="TRAIT",
            help="what the host has no more; may be repeated",
        )

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        if arguments.reason and not arguments.disable:
            raise InvalidRequest("--reason says why a host is disabled: it goes with --disable")
        changes = _figures(arguments)
        if arguments.enable:
            changes |= {"enabled": True}
        if arguments.disable:
            changes |= {"enabled": False, "disabled_reason": arguments.reason or _NO_REASON}
        if not (changes or arguments.traits or arguments.without_traits):
            raise InvalidRequest("nothing is to change", hint="see: vmwright help host set")
        host = self.session.controller.inventory.set_host(
            arguments.name,
            traits=arguments.traits,
            without_traits=arguments.without_traits,
            **changes,
        )
        return fields_of(host, _COLUMNS)


class Drain(ShowOne):
    """Let a host become empty: it takes no new instances until it is enabled again."""

    shown_columns = ("name", "draining", "instances")

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="name or id")
        parser.add_argument("--wait", action="store_true", help="until no instance lives there")
        parser.add_argument(
            "--timeout", type=seconds, metavar="SECONDS", help="wait no longer than this"
        )

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        if arguments.timeout is not None and not arguments.wait:
            raise InvalidRequest("--timeout says how long to wait: it goes with --wait")
        inventory = self.session.controller.inventory
        host = inventory.drain_host(arguments.name)
        if arguments.wait:
            inventory.await_empty_host(host.id, arguments.timeout)
        remain = inventory.host_use(host.id).instances
        return {"name": host.name, "draining": host.draining, "instances": remain}


class Delete(DeleteEach):
    """Forget hosts that no instance lives on."""

    def find(self, name: str) -> object:
        return self.session.controller.inventory.host(name)

    def delete(self, name: str) -> object:
        return self.session.controller.inventory.delete_host(name)


class ListZones(Lister):
    """List the availability zones that hosts are in."""

    shown_columns = ("name", "available", "hosts")
    short_columns = shown_columns

    def describe(self, arguments: argparse.Namespace) -> Iterable[Mapping[str, Any]]:
        del arguments
        return [values_of(zone) for zone in self.session.controller.inventory.zones()]


def _add_figures(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--vcpus", type=count, metavar="N", help="processors to give away")
    parser.add_argument("--memory", type=count, metavar="MIB", help="memory to give away")
    parser.add_argument("--disk", type=gib, metavar="GIB", help="disk space to give away")
    for what in ("vcpu", "memory", "disk"):
        parser.add_argument(
            f"--{what}-ratio", type=ratio, metavar="X", help="so many times it may be given away"
        )
    parser.add_argument("--zone", help="availability zone that the host is in")
    parser.add_argument("--address", metavar="IP", help="the host's own IPv4 address")
    parser.add_argument(
        "--trait",
        dest="traits",
        action="append",
        default=[],
        metavar="TRAIT",
        help="what the host has, such as CUSTOM_SSD; may be repeated",
    )


def _figures(arguments: argparse.Namespace) -> dict[str, Any]:
    """Those that were given, under the library's names."""
    given = {name: getattr(arguments, option) for option, name in _FIGURES.items()}
    return {name: value for name, value in given.items() if value is not None}
