"""One call of every verb of a host, for tests of what holds for all of them."""

from collections.abc import Callable
from pathlib import Path

from tests.support.marks import whose_create
from tests.support.things import IP, MAC, blank, guest, image, reservation, subnet
from vmwright.backends.host import Host
from vmwright.ids import Mark, SnapshotId, domain_name, snapshot_name
from vmwright.waiting import Wait

Verbs = dict[str, Callable[[Wait], object]]


def every_verb(host: Host, mark: Mark, directory: Path) -> Verbs:
    """By the verb's name; none needs that anything exists to be called."""
    return {
        **_hypervisor(host, mark),
        **_network(host, mark),
        **_volumes(host, mark, directory),
    }


def _hypervisor(host: Host, mark: Mark) -> Verbs:
    guests, instance, whose = host.hypervisor, mark.instance, whose_create(mark)
    return {
        "facts": guests.facts,
        "domains": guests.domains,
        "find_domain": lambda wait: guests.find_domain(instance, wait),
        "find_domain_named": lambda wait: guests.find_domain_named(domain_name(instance), wait),
        "ensure_domain": lambda wait: guests.ensure_domain(guest(instance), mark, wait),
        "ensure_running": lambda wait: guests.ensure_running(instance, mark, wait),
        "ensure_no_domain": lambda wait: guests.ensure_no_domain(instance, whose, wait),
        "settle_domain": lambda wait: guests.settle_domain(instance, wait),
        "console": lambda wait: list(guests.console(instance, wait)),
    }


def _network(host: Host, mark: Mark) -> Verbs:
    networks, wanted, whose = host.network, subnet(), whose_create(mark)
    network = wanted.network
    return {
        "networks": networks.networks,
        "ensure_network": lambda wait: networks.ensure_network(wanted, wait),
        "ensure_no_network": lambda wait: networks.ensure_no_network(network, wait),
        "settle_network": lambda wait: networks.settle_network(network, wait),
        "reservations": lambda wait: networks.reservations(network, wait),
        "leases": lambda wait: networks.leases(network, wait),
        "ours": networks.ours,
        "ensure_reservation": lambda wait: networks.ensure_reservation(
            reservation(network), mark, wait
        ),
        "ensure_no_reservation": lambda wait: networks.ensure_no_reservation(
            network, MAC, IP, whose, wait
        ),
        "settle_reservation": lambda wait: networks.settle_reservation(network, MAC, wait),
    }


def _volumes(host: Host, mark: Mark, directory: Path) -> Verbs:
    storage, name, whose = host.volumes, blank(mark).name, whose_create(mark)
    base, source = image(directory)
    copy = snapshot_name(mark.deployment, SnapshotId(mark.instance), "qcow2")
    return {
        "volumes": storage.volumes,
        "ensure_base": lambda wait: storage.ensure_base(base, source, wait),
        "ensure_no_base": lambda wait: storage.ensure_no_base(base, wait),
        "ensure_volume": lambda wait: storage.ensure_volume(blank(mark), wait),
        "ensure_content": lambda wait: storage.ensure_content(name, b"content", wait),
        "ensure_copy": lambda wait: storage.ensure_copy(copy, name, wait),
        "ensure_no_volume": lambda wait: storage.ensure_no_volume(name, whose, wait),
        "ensure_no_pool": storage.ensure_no_pool,
        "settle_volume": lambda wait: storage.settle_volume(name, wait),
    }
