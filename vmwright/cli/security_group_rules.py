"""Commands on the rules of security groups."""

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

from vmwright.cli.command import ForgetEach, Lister, ShowOne
from vmwright.cli.parsing import count, port_range
from vmwright.cli.values import fields_of
from vmwright.errors import InvalidRequest

RULE_COLUMNS = (
    "id",
    "group_id",
    "direction",
    "ethertype",
    "protocol",
    "port_range_min",
    "port_range_max",
    "remote_ip_prefix",
    "remote_group_id",
)
_COLUMNS = (*RULE_COLUMNS, "created_at")


class Create(ShowOne):
    """Let more through. What is not said may be anything."""

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("group", metavar="GROUP", help="name or id")
        way = parser.add_mutually_exclusive_group()
        way.add_argument("--ingress", action="store_true", help="to instances (the default)")
        way.add_argument("--egress", action="store_true", help="from instances")
        parser.add_argument("--ethertype", choices=("IPv4", "IPv6"), default="IPv4")
        parser.add_argument(
            "--protocol", metavar="P", help="tcp, udp, icmp, icmpv6, any, or a number"
        )
        ports = parser.add_mutually_exclusive_group()
        ports.add_argument("--dst-port", type=port_range, metavar="PORT[:PORT]")
        ports.add_argument("--icmp-type", type=count, metavar="TYPE")
        parser.add_argument("--icmp-code", type=count, metavar="CODE")
        remote = parser.add_mutually_exclusive_group()
        remote.add_argument("--remote-ip", metavar="CIDR", help="who is at the other end")
        remote.add_argument("--remote-group", metavar="GROUP", help="the members of this group")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        if arguments.dst_port and arguments.icmp_code is not None:
            raise InvalidRequest("--icmp-code goes with --icmp-type")
        if arguments.dst_port and arguments.protocol in ("icmp", "icmpv6", "1", "58"):
            raise InvalidRequest("--dst-port goes with tcp and udp: icmp has --icmp-type")
        first, last = arguments.dst_port or (arguments.icmp_type, arguments.icmp_code)
        rule = self.session.controller.inventory.security_groups.add_rule(
            arguments.group,
            "egress" if arguments.egress else "ingress",
            ethertype=arguments.ethertype,
            protocol=arguments.protocol,
            port_range_min=first,
            port_range_max=last,
            remote_ip_prefix=arguments.remote_ip,
            remote_group=arguments.remote_group,
        )
        return fields_of(rule, _COLUMNS)


class List(Lister):
    """List the rules of a security group, or of all in the project."""

    shown_columns = _COLUMNS
    short_columns = RULE_COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("group", nargs="?", metavar="GROUP", help="name or id")

    def describe(self, arguments: argparse.Namespace) -> Iterable[Mapping[str, Any]]:
        groups = self.session.controller.inventory.security_groups
        chosen = [groups.get(arguments.group)] if arguments.group else groups.list()
        rules = [rule for group in chosen for rule in groups.rules(group.id)]
        return [fields_of(rule, _COLUMNS) for rule in rules]


class Delete(ForgetEach):
    """Delete rules, by their ids."""

    def find(self, name: str) -> object:
        return self.session.controller.inventory.security_groups.rule(name)

    def delete(self, name: str) -> object:
        return self.session.controller.inventory.security_groups.remove_rule(name)
