"""What a thread is about just now: lines that are logged meanwhile say so, whoever logs them."""

from collections.abc import Mapping
from contextlib import ContextDecorator
from contextvars import ContextVar, Token
from types import MappingProxyType

_FACTS: ContextVar[Mapping[str, str | None]] = ContextVar("vmwright", default=MappingProxyType({}))


class concerning(ContextDecorator):
    """Besides what it is about already; of what is None nothing is known. Also a decorator.

    No generator: it is around each task, and that would take twice the calls.
    """

    __slots__ = ("_before", "_facts")

    def __init__(self, **facts: str | None) -> None:
        self._facts = facts

    def __enter__(self) -> None:
        self._before: Token[Mapping[str, str | None]] = _FACTS.set({**_FACTS.get(), **self._facts})

    def __exit__(self, *_: object) -> None:
        _FACTS.reset(self._before)


def concerns() -> Mapping[str, str]:
    """The ids and names, by what they are of: `operation_id`, `instance_id`, `task`, `host`,
    `request_id`."""
    return {name: value for name, value in _FACTS.get().items() if value is not None}
