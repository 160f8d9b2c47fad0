"""What happens in a store is told once to all who listen, in whatever order it is committed."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.requests import Request

from tests.support.databases import PostgreSQL
from tests.support.rows import stored_operation
from vmwright.api.events import events
from vmwright.feed import Batch, Feed
from vmwright.persistence.records import Event, Operation
from vmwright.persistence.stores import Stores

Opened = Iterator[Feed]


@contextmanager
def feeding(stores: Stores) -> Opened:
    feed = Feed(stores)
    try:
        yield feed
    finally:
        feed.close()


@pytest.fixture
def operation(stores: Stores) -> Operation:
    with stores.database.write() as connection:
        return stored_operation(stores, connection, project_id="ours")


def happens(stores: Stores, connection: sa.Connection, operation: Operation, *notes: str) -> None:
    stores.operations.append(
        connection,
        [
            Event(
                operation_id=operation.id,
                instance_id=operation.instance_id,
                kind="operation",
                state=note,
                at=time.time(),
            )
            for note in notes
        ],
    )


def committed(stores: Stores, operation: Operation, *notes: str) -> None:
    with stores.database.write() as connection:
        happens(stores, connection, operation, *notes)


async def heard(
    batches: AsyncIterator[Batch], until: str, seen: list[str] | None = None
) -> tuple[list[str], int]:
    """The notes up to this one, and the position of the last batch."""
    notes = [] if seen is None else seen
    async for batch in batches:
        notes += [told.event.state for told in batch.events]
        if until in notes:
            return notes, batch.position
    return notes, -1


def opened(stores: Stores, stack: ExitStack) -> sa.Connection:
    """A transaction of another process, that is under way."""
    engine = sa.create_engine(stores.database.writer.url)
    stack.callback(engine.dispose)
    connection = stack.enter_context(engine.connect())
    connection.begin()
    return connection


def test_what_was_and_what_happens_is_told_in_order(stores: Stores, operation: Operation) -> None:
    committed(stores, operation, "a", "b")

    async def listen(feed: Feed) -> None:
        batches = feed.of_operation(operation.id)
        notes, _ = await heard(batches, "b")
        committed(stores, operation, "c")
        assert (await heard(batches, "c", notes))[0] == ["a", "b", "c"]

    with feeding(stores) as feed:
        asyncio.run(listen(feed))


def test_a_project_hears_nothing_of_another_one(stores: Stores, operation: Operation) -> None:
    with stores.database.write() as connection:
        theirs = stored_operation(stores, connection, project_id="theirs")

    async def listen(feed: Feed) -> None:
        ours, everything = feed.everything("ours", after=0), feed.everything(None, after=0)
        committed(stores, theirs, "secret")
        committed(stores, operation, "told")
        assert (await heard(ours, "told"))[0] == ["told"]
        assert set((await heard(everything, "told"))[0]) == {"secret", "told"}
        committed(stores, theirs, "another")
        committed(stores, operation, "last")
        assert (await heard(ours, "last"))[0] == ["last"]

    with feeding(stores) as feed:
        asyncio.run(listen(feed))


def test_whoever_goes_on_after_a_break_misses_nothing(stores: Stores, operation: Operation) -> None:
    async def listen(feed: Feed) -> None:
        committed(stores, operation, "a")
        notes, position = await heard(feed.everything(None, after=0), "a")
        committed(stores, operation, "b", "c")
        again, _ = await heard(feed.everything(None, after=position), "c")
        assert {*notes, *again} == {"a", "b", "c"}

    with feeding(stores) as feed:
        asyncio.run(listen(feed))


@pytest.mark.parametrize("dialect", ["postgresql", "mariadb"], indirect=True)
@pytest.mark.parametrize("began", ["before the feed", "after the feed"])
def test_what_is_committed_late_is_told(stores: Stores, operation: Operation, began: str) -> None:
    """A lower number is committed after a higher one, by another process."""

    async def listen(feed: Feed, slow: sa.Connection, *, late: bool) -> None:
        if late:
            happens(stores, slow, operation, "late")
        batches = feed.everything(None, after=0)
        committed(stores, operation, "early")
        notes, position = await heard(batches, "early")
        assert "late" not in notes
        slow.commit()
        assert "late" in (await heard(batches, "late", notes))[0]
        # Whoever left before it came goes on with it.
        assert "late" in (await heard(feed.everything(None, after=position), "late"))[0]

    with ExitStack() as stack:
        slow = opened(stores, stack)
        if began == "before the feed":
            happens(stores, slow, operation, "late")
            committed(stores, operation, "between")
        with feeding(stores) as feed:
            asyncio.run(listen(feed, slow, late=began == "after the feed"))


@pytest.mark.parametrize("dialect", ["postgresql", "mariadb"], indirect=True)
def test_what_was_rolled_back_holds_nobody_up(stores: Stores, operation: Operation) -> None:
    async def listen(feed: Feed, doomed: sa.Connection) -> None:
        batches = feed.everything(None, after=0)
        happens(stores, doomed, operation, "doomed")
        committed(stores, operation, "next")
        doomed.rollback()
        assert (await heard(batches, "next"))[0] == ["next"]
        committed(stores, operation, "last")
        assert (await heard(batches, "last"))[0] == ["last"]

    with ExitStack() as stack, feeding(stores) as feed:
        asyncio.run(listen(feed, opened(stores, stack)))


@pytest.mark.slow
@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_who_lies_too_far_behind_is_let_go_and_goes_on_where_it_was(
    stores: Stores, operation: Operation
) -> None:
    numbers = [str(number) for number in range(21_000)]

    async def listen(feed: Feed) -> None:
        slow = feed.everything(None, after=0)
        committed(stores, operation, "first")
        await anext(slow)
        live = asyncio.ensure_future(anext(slow))
        # What it goes on to hear is told, and not read from the store.
        await heard(feed.everything(None, after=0), "first")
        committed(stores, operation, "second")
        position = (await live).position
        for start in range(0, len(numbers), 3000):
            committed(stores, operation, *numbers[start : start + 3000])
        await heard(feed.everything(None, after=position), numbers[-1])
        notes: list[str] = []
        async for batch in slow:
            notes += [told.event.state for told in batch.events]
            position = batch.position
        assert numbers[-1] not in notes
        again, _ = await heard(feed.everything(None, after=position), numbers[-1])
        assert {*notes, *again} >= {*numbers}

    with feeding(stores) as feed:
        asyncio.run(listen(feed))


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_closing_lets_all_listeners_go(stores: Stores, operation: Operation) -> None:
    async def listen(feed: Feed) -> None:
        batches = feed.everything(None, after=0)
        committed(stores, operation, "a")
        await heard(batches, "a")
        feed.close()
        assert [batch async for batch in batches] == []
        assert [batch async for batch in feed.everything(None)] == []

    with feeding(stores) as feed:
        asyncio.run(listen(feed))


@pytest.mark.slow
@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_a_store_that_was_away_is_heard_again(
    stores: Stores, operation: Operation, postgresql: PostgreSQL
) -> None:
    async def listen(feed: Feed) -> None:
        batches = feed.everything(None, after=0)
        committed(stores, operation, "before")
        notes, _ = await heard(batches, "before")
        postgresql.stop()
        postgresql.start_again()
        committed(stores, operation, "after")
        assert (await heard(batches, "after", notes))[0] == ["before", "after"]

    with feeding(stores) as feed:
        asyncio.run(listen(feed))


def test_who_is_greeted_is_listening(stores: Stores) -> None:
    """What happens once somebody has looked how things stand is not lost."""

    async def greeted(feed: Feed) -> int:
        application = Starlette()
        application.state.feed = feed
        request = Request({"type": "http", "app": application})
        controller = SimpleNamespace(sees=None)
        answer = await events(request, controller)  # type: ignore[arg-type]
        assert await anext(aiter(answer.body_iterator)) == ": hello\n\n"
        return feed.listening()

    with feeding(stores) as feed:
        assert asyncio.run(greeted(feed)) == 1
