"""What libvirt's errors come to. The texts are libvirt's own."""

import re

import pytest

from vmwright.backends.libvirt.failures import (
    FROM_RPC,
    Code,
    Failure,
    connection_is_lost,
    fault_of,
)
from vmwright.errors import HostFault, Refused, Unavailable, VmwrightError

QEMU, NETWORK, STORAGE, STREAM = 10, 19, 18, 38

LOST = [
    Failure(code=Code.SYSTEM_ERROR, origin=FROM_RPC, text=text)
    for text in (
        "End of file while reading data: Input/output error",
        "Cannot recv data: Connection reset by peer",
        "Failed to connect socket to '/run/libvirt/libvirt-sock': Connection refused",
        "Failed to connect socket to '/run/libvirt/libvirt-sock': No such file or directory",
        "unable to connect to server at 'host1:16509': Connection refused",
        "Unable to resolve address 'host1' service '16509': Name or service not known",
    )
] + [
    Failure(code=Code.INTERNAL_ERROR, origin=FROM_RPC, text=text)
    for text in ("client socket is closed", "connection closed due to keepalive timeout")
]

DENIED = [
    Failure(
        code=Code.SYSTEM_ERROR,
        origin=FROM_RPC,
        text="Failed to connect socket to '/run/libvirt/libvirt-sock': Permission denied",
    ),
    Failure(code=Code.AUTH_FAILED, origin=FROM_RPC, text="authentication failed"),
    Failure(code=Code.OPERATION_DENIED, origin=QEMU, text="read only access prevents this"),
]


@pytest.mark.parametrize("failure", LOST)
def test_broken_connection_is_of_unknown_outcome(failure: Failure) -> None:
    assert connection_is_lost(failure)
    assert isinstance(fault_of("host h", "look", failure), Unavailable)


def test_broken_monitor_of_a_guest_is_no_broken_connection() -> None:
    text = "Unable to read from monitor: Connection reset by peer"
    failure = Failure(code=Code.SYSTEM_ERROR, origin=QEMU, text=text)
    assert not connection_is_lost(failure)
    assert isinstance(fault_of("host h", "start guest g", failure), HostFault)


@pytest.mark.parametrize("failure", DENIED)
def test_user_that_is_not_let_in_is_told_the_remedy(failure: Failure) -> None:
    fault = fault_of("host h", "look", failure)
    assert not connection_is_lost(failure)
    assert isinstance(fault, HostFault)
    assert "group libvirt" in fault.hint


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        (Code.XML_ERROR, "XML error: MAC address must not be multicast", Refused),
        (Code.INVALID_ARG, "invalid argument: bad path", Refused),
        (Code.OPERATION_TIMEOUT, "cannot acquire state change lock", Unavailable),
        (Code.RESOURCE_BUSY, "the domain is busy", Unavailable),
        (Code.SYSTEM_ERROR, "Failed to terminate process 80 with SIGKILL", Unavailable),
        (Code.INTERNAL_ERROR, "pool 'p' has asynchronous jobs running.", Unavailable),
        (Code.INTERNAL_ERROR, "process exited while connecting to monitor", HostFault),
        (Code.CONFIG_UNSUPPORTED, "Emulator does not support virt type 'kvm'", HostFault),
        (Code.NO_SUPPORT, "not supported by the connection driver", HostFault),
        (0, "an error of a libvirt to come", HostFault),
    ],
)
def test_error_comes_to_what_a_flow_can_do_about_it(
    code: int, text: str, kind: type[VmwrightError]
) -> None:
    assert type(fault_of("host h", "act", Failure(code=code, origin=QEMU, text=text))) is kind


@pytest.mark.parametrize(
    ("origin", "text", "remedy"),
    [
        (NETWORK, "internal error: Network is already in use by interface eth0", "choose another"),
        (STREAM, "cannot write to stream: No space left on device", "free room"),
        (QEMU, 'qemu-system-x86_64: Failed to get "write" lock', "has this disk open"),
        (QEMU, "cannot set up guest memory 'pc.ram': Cannot allocate memory", "free memory"),
        (QEMU, "Cannot access storage file '/p/v' (as uid:64055): Permission denied", "enter"),
        (QEMU, "Cannot get interface MTU on 'br9': No such device", "vmwright network set"),
        (NETWORK, "Network not found: no network with matching name 'x'", "vmwright network set"),
        (NETWORK, "Requested operation is not valid: network 'x' is not active", "have it on the"),
        (STORAGE, "operation failed: Storage source conflict with pool: 'x'", "pool_dir"),
    ],
)
def test_known_trouble_comes_with_its_remedy(origin: int, text: str, remedy: str) -> None:
    fault = fault_of("host h", "act", Failure(code=Code.INTERNAL_ERROR, origin=origin, text=text))
    assert isinstance(fault, HostFault)
    assert remedy in fault.hint


def test_message_names_host_and_act_and_libvirts_reason_on_one_line() -> None:
    failure = Failure(code=1, origin=QEMU, text="internal error: qemu said:\n  no\n  such file")
    assert fault_of("host h", "start guest g", failure).message == (
        "host h: start guest g: qemu said: no such file"
    )


@pytest.mark.parametrize("code", [Code.XML_DETAIL, Code.XML_INVALID_SCHEMA])
def test_quoted_document_does_not_reach_the_message(code: Code) -> None:
    failure = Failure(code=code, origin=QEMU, text="(domain):3: bad\n<title>secret</title>")
    assert not re.search("secret", fault_of("host h", "define", failure).message)


def test_long_reason_is_cut() -> None:
    failure = Failure(code=1, origin=QEMU, text="x" * 10_000)
    assert len(fault_of("host h", "act", failure).message) < 500
