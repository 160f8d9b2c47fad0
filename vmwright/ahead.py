"""What was read of operations before there is room for them: a page at once costs little more
than one of them alone."""

from collections.abc import Iterable

from vmwright.ids import OperationId
from vmwright.loading import Loaded, load_several
from vmwright.persistence.records import Operation
from vmwright.persistence.stores import Stores
from vmwright.states import HELD

PAGE = 64
"""All that is kept, however much waits."""


class Ahead:
    """Operations that may begin as soon as there is room. Not thread-safe.

    They are as they were read: whoever begins one claims it by compare-and-swap. What somebody
    holds is left out, as whether he lives is seen only when it is claimed.
    """

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._known: dict[OperationId, Operation] = {}
        self._loaded: dict[OperationId, Loaded] = {}

    def fill(self, operations: Iterable[Operation]) -> None:
        """Know these, and what was known before no more."""
        free = [operation for operation in operations if operation.state not in HELD][:PAGE]
        self._known = {operation.id: operation for operation in free}
        self._loaded = dict(load_several(self._stores, free)) if free else {}

    def known(self) -> list[OperationId]:
        """In the order in which they were given."""
        return list(self._known)

    def of(self, operations: Iterable[OperationId]) -> dict[OperationId, Operation]:
        """Those of them that are known."""
        return {one: self._known[one] for one in operations if one in self._known}

    def take(self, operation: OperationId) -> Loaded | None:
        """What was loaded for it, if anything was; it is known no more."""
        self._known.pop(operation, None)
        return self._loaded.pop(operation, None)
