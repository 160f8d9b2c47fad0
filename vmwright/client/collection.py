"""Things of one kind at a service: listed, shown, deleted."""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from vmwright.client.connection import Connection
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
        found = self._connection.get(self._path).json()
        return [self._kind.model_validate(one) for one in found]

    def get(self, name_or_id: str) -> R:
        return self._kind.model_validate_json(self._connection.get(self.of(name_or_id)).content)

    def create(self, timeout: float | None = None, **fields: Any) -> R:
        """Those fields that are None are left to the service."""
        return self.post(self._path, timeout=timeout, **fields)

    def post(self, path: str, timeout: float | None = None, **fields: Any) -> R:
        """What comes of a verb."""
        body = {name: value for name, value in fields.items() if value is not None}
        answer = self._connection.ask("POST", path, body=body, timeout=timeout)
        return self._kind.model_validate_json(answer.content)

    def change(self, name_or_id: str, **changes: Any) -> R:
        answer = self._connection.patch(self.of(name_or_id), changes)
        return self._kind.model_validate_json(answer.content)

    def delete(self, name_or_id: str, timeout: float | None = None) -> None:
        self._connection.ask("DELETE", self.of(name_or_id), timeout=timeout)

    def of(self, name_or_id: str, *more: str) -> str:
        """The path of one of them, or of something below it."""
        return "/".join([self._path, quote(name_or_id, safe=""), *more])
