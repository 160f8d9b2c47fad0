"""What a host says of itself. Every function is used inside a question."""

import libvirt

from vmwright.backends.libvirt.domain_xml import ARCH, MACHINE
from vmwright.backends.libvirt.failures import Code
from vmwright.backends.libvirt.line import Connect
from vmwright.backends.libvirt.xml_text import parsed

_NO_KVM = frozenset({Code.INVALID_ARG, Code.CONFIG_UNSUPPORTED})


def host_uuid(connection: Connect) -> str:
    """The host's own uuid: that of its board, or the one in libvirtd's configuration."""
    return parsed(connection.getCapabilities()).findtext("host/uuid", "")


def vcpus(connection: Connect) -> int:
    return int(connection.getInfo()[2])


def memory_mib(connection: Connect) -> int:
    """All memory. `getInfo` adds up NUMA nodes, which is wrong where memory comes and goes."""
    everywhere = libvirt.VIR_NODE_MEMORY_STATS_ALL_CELLS
    return int(connection.getMemoryStats(everywhere)["total"]) // 1024


def offers_kvm(connection: Connect) -> bool:
    """Whether libvirt would start guests by KVM: it has seen /dev/kvm, and no guest."""
    try:
        connection.getDomainCapabilities(None, ARCH, MACHINE, "kvm")
    except libvirt.libvirtError as error:
        if error.get_error_code() not in _NO_KVM:
            raise
        return False
    return True
