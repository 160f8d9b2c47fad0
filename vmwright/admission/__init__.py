"""The door: policy, limits and quotas, and every name an id. The last place to refuse cheaply."""

from vmwright.admission.caller import Caller
from vmwright.admission.door import Door, Reservation

__all__ = ["Caller", "Door", "Reservation"]
