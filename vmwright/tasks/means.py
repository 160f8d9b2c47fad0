"""What tasks work with."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vmwright.backends.host import Backend
from vmwright.backends.images import ImageStore
from vmwright.persistence.stores import Stores
from vmwright.tasks.placement import Placement

if TYPE_CHECKING:
    from taskflow.flow import Flow


@dataclass(frozen=True)
class Means:
    """The same for every run of a process."""

    stores: Stores
    backend: Backend
    images: ImageStore
    placement: Placement
    flows: dict[object, "Flow"] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Those that were made with these already: one serves all runs of it."""
