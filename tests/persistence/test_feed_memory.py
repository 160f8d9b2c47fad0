"""What was told of late is remembered for those who come back, and counted once."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.support.rows import stored_operation
from vmwright import feed as feeds
from vmwright.feed import Feed
from vmwright.persistence.records import Event


@pytest.fixture
def operation(stores):
    with stores.database.write() as connection:
        return stored_operation(stores, connection)


@pytest.fixture
def feed(stores, operation) -> Iterator[Feed]:
    with closing(Feed(stores)) as feed:
        yield feed


def event(operation, state: str) -> Event:
    return Event(
        operation_id=operation.id, instance_id=operation.instance_id, kind="task", state=state
    )


def happen(stores, operation, *states: str) -> None:
    with stores.database.write() as connection:
        stores.operations.append(connection, [event(operation, state) for state in states])


def heard(feed: Feed, after: int | None, number: int, then=lambda: None) -> tuple[list[str], int]:
    """The states of so many events, and the position then; `then` happens once it listens."""

    async def listen() -> tuple[list[str], int]:
        found: list[str] = []
        batches = feed.everything(None, after=after)
        coming = asyncio.ensure_future(anext(batches))
        while not feed.listening():
            await asyncio.sleep(0)
        await asyncio.to_thread(then)
        while True:
            batch = await coming
            numbers = [told.event.seq for told in batch.events]
            assert numbers == sorted(numbers)
            found += [told.event.state for told in batch.events]
            if len(found) >= number:
                await batches.aclose()
                return found, batch.position
            coming = asyncio.ensure_future(anext(batches))

    return asyncio.run(listen())


@pytest.mark.parametrize("remembered", [4096, 2])
def test_who_comes_back_hears_once_what_was_missed(
    stores, operation, feed: Feed, monkeypatch: pytest.MonkeyPatch, remembered: int
) -> None:
    """From memory, or from the store where that is not enough."""
    monkeypatch.setattr(feeds, "REMEMBERED", remembered)
    first, position = heard(feed, None, 2, lambda: happen(stores, operation, "a", "b"))
    assert first == ["a", "b"]
    everyone, _ = heard(feed, None, 4, lambda: happen(stores, operation, "c", "d", "e", "f"))
    assert everyone == ["c", "d", "e", "f"]
    assert (feed._remembers(position) is not None) == (remembered > 4)
    missed, _ = heard(feed, position, 5, lambda: happen(stores, operation, "g"))
    assert missed == ["c", "d", "e", "f", "g"]


def test_all_who_count_are_told_each_event_once(stores, operation, feed: Feed) -> None:
    counted: list[str] = []
    feed.hear(lambda page: counted.extend(told.event.state for told in page))
    heard(feed, None, 3, lambda: happen(stores, operation, "a", "b", "c"))
    heard(feed, 0, 4, lambda: happen(stores, operation, "d"))
    while len(counted) < 4:
        threading.Event().wait(0.01)
    assert counted == ["a", "b", "c", "d"]
