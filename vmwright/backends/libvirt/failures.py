"""What libvirt's errors mean for us. Pure: decided from code, origin and text.

libvirt's codes are coarse: OPERATION_INVALID and OPERATION_FAILED stand for dozens of things. A
verb that can meet one of them looks again and compares; what comes here is left over.
"""

import re
from dataclasses import dataclass
from enum import IntEnum

from vmwright.errors import HostFault, Refused, Unavailable, VmwrightError


class Code(IntEnum):
    """Error numbers of libvirt, as far as they mean something to us."""

    INTERNAL_ERROR = 1
    NO_SUPPORT = 3
    NO_CONNECT = 5
    INVALID_ARG = 8
    OPERATION_FAILED = 9
    XML_ERROR = 27
    OPERATION_DENIED = 29
    XML_DETAIL = 35
    SYSTEM_ERROR = 38
    RPC = 39
    NO_DOMAIN = 42
    NO_NETWORK = 43
    INVALID_MAC = 44
    AUTH_FAILED = 45
    NO_STORAGE_POOL = 49
    NO_STORAGE_VOL = 50
    OPERATION_INVALID = 55
    CONFIG_UNSUPPORTED = 67
    OPERATION_TIMEOUT = 68
    AUTH_CANCELLED = 79
    NO_DOMAIN_METADATA = 80
    RESOURCE_BUSY = 87
    ACCESS_DENIED = 88
    STORAGE_VOL_EXIST = 90
    XML_INVALID_SCHEMA = 92
    AUTH_UNAVAILABLE = 94


FROM_RPC = 7
"""The origin of errors about the connection itself, never about a guest."""
_FROM_STORAGE = 18


@dataclass(frozen=True, kw_only=True)
class Failure:
    """An error of libvirt, as data."""

    code: int
    origin: int
    text: str


_DENIED = frozenset(
    {
        Code.OPERATION_DENIED,
        Code.AUTH_FAILED,
        Code.AUTH_CANCELLED,
        Code.ACCESS_DENIED,
        Code.AUTH_UNAVAILABLE,
    }
)
_BUSY = frozenset({Code.OPERATION_TIMEOUT, Code.RESOURCE_BUSY})
_BAD_XML = frozenset({Code.XML_DETAIL, Code.XML_INVALID_SCHEMA})
_BAD_VALUE = frozenset({Code.XML_ERROR, Code.INVALID_ARG, Code.INVALID_MAC})

_HINTS = (
    (r"already in use by interface", "the host routes this subnet already: choose another one"),
    (
        r"Cannot get interface MTU on|no network with matching name|network '.*' is not active",
        "have it on the host, or say which hosts have it: vmwright network set",
    ),
    (r"No space left on device", "free room in the directory pool_dir of the host"),
    (r'Failed to get (shared )?"write" lock', "a guest that runs has this disk open"),
    (r"cannot set up guest memory|Cannot allocate memory", "the host has too little free memory"),
    (r"Permission denied", "QEMU's user must be able to enter the directory pool_dir of the host"),
    (r"Storage source conflict", "another pool of the host has this directory: change pool_dir"),
    (r"No emulator found|does not support virt type", "install QEMU, or set virt_type"),
)
_AT_WORK = re.compile(
    r"Failed to terminate process|has asynchronous jobs running|still being allocated|still in use"
)
_LONGEST_REASON = 400


def connection_is_lost(failure: Failure) -> bool:
    """Whether the connection broke, or could not be made: a new one may be answered."""
    if _is_denied(failure):
        return False
    return failure.origin == FROM_RPC or failure.code == Code.RPC


def pool_is_gone(failure: Failure) -> bool:
    """Whether a storage pool was put to sleep, or is not known any more."""
    if failure.code == Code.NO_STORAGE_POOL:
        return True
    asleep = failure.code == Code.OPERATION_INVALID and "is not active" in failure.text
    return asleep and failure.origin == _FROM_STORAGE


def fault_of(host: str, what: str, failure: Failure) -> VmwrightError:
    """The error that a verb raises: what was tried, where, and libvirt's own reason."""
    message = f"{host}: {what}"
    if _is_denied(failure):
        return HostFault(
            f"{message}: libvirt does not let this user in",
            hint="add the user to the group libvirt on the host, or see its polkit rules",
        )
    if failure.code in _BAD_XML:
        # libvirt quotes the document, and with it what users wrote.
        return Refused(f"{message}: libvirt does not accept the description")
    message = f"{message}: {reason_of(failure)}"
    if failure.code in _BAD_VALUE:
        return Refused(message)
    if failure.code in _BUSY or _AT_WORK.search(failure.text):
        return Unavailable(message, hint="the host is busy: try again")
    if connection_is_lost(failure):
        return Unavailable(message, hint="see that libvirtd runs on the host")
    return HostFault(message, hint=_hint_of(failure))


def reason_of(failure: Failure) -> str:
    """libvirt's own words, on one line. It quotes commands first and says what was wrong last."""
    words = " ".join(failure.text.split()).removeprefix("internal error: ")
    return words if len(words) <= _LONGEST_REASON else f"... {words[-_LONGEST_REASON:]}"


def _is_denied(failure: Failure) -> bool:
    if failure.code in _DENIED:
        return True
    return failure.origin == FROM_RPC and "Permission denied" in failure.text


def _hint_of(failure: Failure) -> str:
    found = (hint for pattern, hint in _HINTS if re.search(pattern, failure.text))
    return next(found, "")
