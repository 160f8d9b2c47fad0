"""Server-sent events, as the HTML standard reads them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import httpx


@dataclass(frozen=True, kw_only=True)
class Message:
    """One of a stream of server-sent events."""

    kind: str
    data: str
    id: str | None


def messages(answer: httpx.Response) -> Iterator[Message]:
    """The events of an answer, as they come."""
    return _read(answer.iter_lines())


def _read(lines: Iterable[str]) -> Iterator[Message]:
    kind, data, identifier = "message", list[str](), None
    for line in lines:
        if not line:
            if data:
                yield Message(kind=kind, data="\n".join(data), id=identifier)
            kind, data, identifier = "message", [], None
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                kind = value
            case "data":
                data.append(value)
            case "id":
                identifier = value
