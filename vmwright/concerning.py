"""What a thread is about just now: lines that are logged meanwhile say so, whoever logs them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

_FACTS: ContextVar[Mapping[str, str]] = ContextVar("vmwright", default=MappingProxyType({}))


@contextmanager
def concerning(**facts: str | None) -> Iterator[None]:
    """Besides what it is about already; what is None says nothing. Also a decorator."""
    known = {name: value for name, value in facts.items() if value is not None}
    before = _FACTS.set({**_FACTS.get(), **known})
    try:
        yield
    finally:
        _FACTS.reset(before)


def concerns() -> Mapping[str, str]:
    """The ids and names, by what they are of: `operation_id`, `instance_id`, `task`, `host`,
    `request_id`."""
    return _FACTS.get()
