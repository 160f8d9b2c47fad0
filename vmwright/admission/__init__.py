"""The door: policy, limits and quotas, and every name an id. The last place to refuse cheaply."""

import importlib
from typing import TYPE_CHECKING, Any

from vmwright.admission.caller import Caller

if TYPE_CHECKING:
    from vmwright.admission.door import Door, Reservation

__all__ = ["Caller", "Door", "Reservation"]


def __getattr__(name: str) -> Any:
    """What is behind the door is loaded by those who want something, not by those who look."""
    if name not in ("Door", "Reservation"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("vmwright.admission.door"), name)
