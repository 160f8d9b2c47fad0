"""Answers as resources, and names as parts of paths."""

from functools import lru_cache
from typing import Any, TypeVar, cast
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter, ValidationError

from vmwright.errors import Unavailable

T = TypeVar("T")


def read(kind: type[T], answer: httpx.Response | str) -> T:
    """What an answer, or a part of one, says; `Unavailable` if that is not what it should be."""
    content = answer if isinstance(answer, str) else answer.content
    try:
        known: T = _adapter(cast(Any, kind)).validate_json(content)
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, wrong["loc"]))
        raise Unavailable(
            f"the service answers what this client does not understand: {where}: {wrong['msg']}",
            hint="are both of the same release?",
        ) from None
    return known


def named(name_or_id: str) -> str:
    """A name or id as one part of a path. Nothing but dots would mean another path."""
    part = quote(name_or_id, safe="")
    return part if part.strip(".") else part.replace(".", "%2E")


@lru_cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
