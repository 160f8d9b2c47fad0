"""Which guests that run have a file or a network in use: libvirt itself guards neither."""

from collections.abc import Iterator

import libvirt

from vmwright.backends.libvirt.domain_xml import files_of, networks_of
from vmwright.backends.libvirt.failures import Code
from vmwright.backends.libvirt.line import Connect
from vmwright.backends.libvirt.lookups import tolerated


def guest_with_file(connection: Connect, path: str) -> str | None:
    """The name of a guest that runs and has this file open."""
    running = _guests(connection, libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)
    return next((name for name, xml in running if path in files_of(xml)), None)


def guest_naming(connection: Connect, path: str) -> str | None:
    """The name of a guest, running or not, that is started with this file."""
    return next((name for name, xml in _guests(connection, 0) if path in files_of(xml)), None)


def guest_on_network(connection: Connect, network: str) -> str | None:
    """The name of a guest, running or not, with an interface on the network of this name."""
    return next((name for name, xml in _guests(connection, 0) if network in networks_of(xml)), None)


def _guests(connection: Connect, flags: int) -> Iterator[tuple[str, str]]:
    for domain in connection.listAllDomains(flags):
        with tolerated(Code.NO_DOMAIN):
            yield domain.name(), domain.XMLDesc(0)
