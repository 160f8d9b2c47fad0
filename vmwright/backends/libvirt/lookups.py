"""Looking things up: absence is an answer, not an error."""

import contextlib
from collections.abc import Callable, Iterator
from typing import TypeVar

import libvirt

from vmwright.backends.libvirt.failures import Code

T = TypeVar("T")


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
    """Go on after one of these errors: what is there is looked at afterwards."""
    try:
        yield
    except libvirt.libvirtError as error:
        if error.get_error_code() not in codes:
            raise
