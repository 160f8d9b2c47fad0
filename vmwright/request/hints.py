"""What a user asks of the scheduler."""

import ipaddress
import json
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from vmwright.request.fields import Ip, NameOrId
from vmwright.request.model import Model

MOST_HINTS, LONGEST_HINT = 32, 4096
"""Unbounded hints once took Nova's scheduler down (OSSA-2012-009)."""

DEEPEST_HINT = 32
"""Readers of JSON have limits, too."""

_OWN = "_nova"
_JSON = json.JSONEncoder(allow_nan=False, ensure_ascii=False)


def _several(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _prefix(text: str) -> str:
    try:
        prefix = ipaddress.IPv4Network(f"0.0.0.0/{text.lstrip('/')}").prefixlen
    except ValueError:
        raise ValueError(f"{text!r} is not a prefix such as /24") from None
    return f"/{prefix}"


_Instances = Annotated[tuple[NameOrId, ...], BeforeValidator(_several), Field(max_length=64)]


def _length(value: object) -> int:
    """In bytes, as every store can hold it; once it is too long, so far. In YAML a list can hold
    another one many times over, and each of those again."""
    length = 0
    try:
        for piece in _JSON.iterencode(value):
            length += len(piece.encode())
            if length > LONGEST_HINT:
                break
    except (TypeError, ValueError, RecursionError):
        raise ValueError("a hint is text, a number, or a list or mapping of such") from None
    return length


def _is_deep(value: object) -> bool:
    """Whether too many lists and mappings are within each other. Only for what is not long."""
    level = [value]
    for _ in range(DEEPEST_HINT):
        level = [inner for outer in level for inner in _inside(outer)]
    return any(isinstance(value, dict | list | tuple) for value in level)


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list | tuple) else ()


class SchedulerHints(Model):
    """Where the instance is to be. Hints that nobody here knows are kept for plug-ins."""

    model_config = ConfigDict(extra="allow")

    group: NameOrId | None = None
    same_host: _Instances = ()
    different_host: _Instances = ()
    query: str | None = Field(default=None, max_length=LONGEST_HINT)
    """An expression on a host's figures, as JSON: ``[">=", "$free_ram_mb", 1024]``."""
    build_near_host_ip: Ip | None = None
    cidr: Annotated[str, AfterValidator(_prefix)] = "/24"

    @model_validator(mode="before")
    @classmethod
    def _bounded(cls, hints: Any) -> Any:
        if not isinstance(hints, dict):
            return hints
        kept = {name: value for name, value in hints.items() if not str(name).startswith(_OWN)}
        if len(kept) > MOST_HINTS:
            raise ValueError(f"at most {MOST_HINTS} hints are allowed, these are {len(kept)}")
        for name, value in kept.items():
            if len(str(name)) > 255 or _length(value) > LONGEST_HINT:
                raise ValueError(f"hint {str(name)[:40]!r} is longer than {LONGEST_HINT}")
            if _is_deep(value):
                raise ValueError(f"hint {str(name)[:40]!r} is deeper than {DEEPEST_HINT} lists")
        return kept

    @property
    def others(self) -> dict[str, Any]:
        """The hints that only plug-ins know."""
        return dict(self.model_extra or {})
