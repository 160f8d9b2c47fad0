"""Looking things up: absence is an answer, not an error."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import libvirt

from vmwright.backends.libvirt.failures import Code

T = TypeVar("T")

_LOOKS, _POLL_SECONDS = 100, 0.02


def found(look: Callable[[str], T], key: str, absent: Code) -> T | None:
    """What `look` finds, or None if libvirt says that there is no such thing."""
    try:
        return look(key)
    except libvirt.libvirtError as error:
        if error.get_error_code() != absent:
            raise
        return None


@contextlib.contextmanager
def tolerated(*codes: Code) -> Iterator[None]:
    """Go on after one of these errors: what is there is looked at afterwards.

    A network that a guest needs does not change by looking at the guest: its errors are raised.
    """
    try:
        yield
    except libvirt.libvirtError as error:
        of_network = error.get_error_domain() == libvirt.VIR_FROM_NETWORK
        if of_network or error.get_error_code() not in codes:
            raise


def wake(thing: Any, start: Callable[[], object]) -> None:
    """Make a pool or a network active, also if somebody else is just doing so."""
    if thing.isActive():
        return
    try:
        start()
    except libvirt.libvirtError as error:
        # libvirt says "already active" also while another call is still at it.
        if error.get_error_code() != Code.OPERATION_INVALID or not _comes_up(thing):
            raise


def _comes_up(thing: Any) -> bool:
    never = threading.Event()
    return any(thing.isActive() or never.wait(_POLL_SECONDS) for _ in range(_LOOKS))
