"""Lists that come in pages."""

from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from vmwright.client.reading import read
from vmwright.resources.instance import Instance
from vmwright.resources.operation import Operation


@dataclass(frozen=True, kw_only=True)
class Found:
    """A page of operations, oldest first."""

    operations: Sequence[Operation]
    before: str | None
    """The next page has those that were submitted before this one; None: there are no more. A
    page may be short, or empty, and another one follow."""


def operations_in(answer: httpx.Response) -> list[Operation]:
    return read(list[Operation], answer)


def found_in(answer: httpx.Response) -> Found:
    return Found(operations=operations_in(answer), before=_next(answer, "before"))


def instances_in(answer: httpx.Response) -> tuple[list[Instance], str | None]:
    """The instances of a page, and the id after which the next one begins, if there is one."""
    return read(list[Instance], answer), _next(answer, "after")


def _next(answer: httpx.Response, marker: str) -> str | None:
    """What the service says of where the list goes on (RFC 8288): only that is taken of it, and
    not an address."""
    link = answer.links.get("next")
    if link is None:
        return None
    place: str | None = httpx.URL(link["url"]).params.get(marker)
    return place
