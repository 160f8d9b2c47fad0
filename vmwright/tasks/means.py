"""What tasks work with."""

from dataclasses import dataclass

from vmwright.backends.host import Backend
from vmwright.backends.images import ImageStore
from vmwright.persistence.stores import Stores
from vmwright.tasks.placement import Placement


@dataclass(frozen=True)
class Means:
    """The same for every run of a process."""

    stores: Stores
    backend: Backend
    images: ImageStore
    placement: Placement
