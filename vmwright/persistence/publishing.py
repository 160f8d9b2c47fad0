"""What happens in runs, told to whoever watches them before their next commit does."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack

from vmwright.persistence.records import Event
from vmwright.persistence.stores import Stores
from vmwright.persistence.unit_of_work import UnitOfWork


def publish(stores: Stores, units: Iterable[tuple[UnitOfWork, Callable[[], list[Event]]]]) -> None:
    """Store what has ended in these runs and no commit has said yet, and the news of each, in one
    transaction; in none if there is nothing.

    Nobody is waited for. Left for a later time is what commits just now, which says it itself,
    and what somebody else has in hand; for ever, what is not ours any more.
    """
    with ExitStack() as stack:
        drafts = [stack.enter_context(unit.unpublished(news)) for unit, news in units]
        drafts = [draft for draft in drafts if draft.events]
        if not drafts:
            return
        with stores.database.write() as connection:
            held = stores.operations.held(
                connection, {one.operation: (one.epoch, None) for one in drafts}, waits=False
            )
            said = [draft for draft in drafts if draft.operation in held]
            stores.operations.append(connection, [event for one in said for event in one.events])
        for draft in said:
            draft.is_published = True
