"""What a user asks of the scheduler."""

import ipaddress
import json
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from vmwright.request.fields import Ip, NameOrId
from vmwright.request.model import Model

MOST_HINTS, LONGEST_HINT = 32, 4096
"""Unbounded hints once took Nova's scheduler down (OSSA-2012-009)."""

_OWN = "_nova"


def _several(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _prefix(text: str) -> str:
    try:
        prefix = ipaddress.IPv4Network(f"0.0.0.0/{text.lstrip('/')}").prefixlen
    except ValueError:
        raise ValueError(f"{text!r} is not a prefix such as /24") from None
    return f"/{prefix}"


_Instances = Annotated[tuple[NameOrId, ...], BeforeValidator(_several), Field(max_length=64)]


def _written(value: object) -> bytes:
    """As every store can hold it."""
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError):
        raise ValueError("a hint is text, a number, or a list or mapping of such") from None


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
            if len(str(name)) > 255 or len(_written(value)) > LONGEST_HINT:
                raise ValueError(f"hint {str(name)[:40]!r} is longer than {LONGEST_HINT}")
        return kept

    @property
    def others(self) -> dict[str, Any]:
        """The hints that only plug-ins know."""
        return dict(self.model_extra or {})
