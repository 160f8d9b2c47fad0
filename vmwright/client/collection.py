"""Things of one kind at a service: listed, shown, deleted."""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from vmwright.client.connection import Connection
from vmwright.client.reading import named, read
from vmwright.resources.resource import Resource

R = TypeVar("R", bound=Resource)


class Collection(Generic[R]):
    """The things below one path."""

    def __init__(self, connection: Connection, path: str, kind: type[R]) -> None:
        self._connection = connection
        self._path = path
        self._kind = kind

    def all(self) -> Sequence[R]:
        """Every one that the caller sees, oldest first."""
        kind: Any = list[self._kind]  # type: ignore[name-defined]
        found: list[R] = read(kind, self._connection.get(self._path))
        return found

    def get(self, name_or_id: str) -> R:
        return read(self._kind, self._connection.get(self.of(name_or_id)))

    def create(self, timeout: float | None = None, **fields: Any) -> R:
        """Those fields that are None are left to the service."""
        return self.post(self._path, timeout=timeout, **fields)

    def post(self, path: str, timeout: float | None = None, **fields: Any) -> R:
        """What comes of a verb."""
        body = {name: value for name, value in fields.items() if value is not None}
        answer = self._connection.ask("POST", path, body=body, timeout=timeout)
        return read(self._kind, answer)

    def change(self, name_or_id: str, **changes: Any) -> R:
        answer = self._connection.patch(self.of(name_or_id), changes)
        return read(self._kind, answer)

    def delete(self, name_or_id: str, timeout: float | None = None) -> None:
        self._connection.ask("DELETE", self.of(name_or_id), timeout=timeout)

    def of(self, name_or_id: str, *more: str) -> str:
        """The path of one of them, or of something below it."""
        return "/".join([self._path, named(name_or_id), *more])
