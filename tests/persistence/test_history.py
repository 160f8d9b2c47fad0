"""A database that has forgotten what was seen of it is found out, and no other."""

import json
from pathlib import Path

import pytest

from tests.support.rows import stored_operation
from vmwright.errors import StoreRestored, Unavailable
from vmwright.ids import DeploymentId, new_id
from vmwright.persistence.history import History
from vmwright.persistence.records import Event

DEPLOYMENT = DeploymentId(new_id())


@pytest.fixture
def happen(stores):
    """Have something happen to an operation of its own; returns the event's number."""

    def happen(at: float = 1_700_000_000.123456) -> int:
        with stores.database.write() as connection:
            operation = stored_operation(stores, connection)
            event = Event(
                operation_id=operation.id, instance_id=operation.instance_id, kind="task", at=at
            )
            stores.operations.append(connection, [event])
            (stored,) = stores.operations.events(connection, operation.id)
            return stored.seq

    return happen


@pytest.fixture
def opened(stores, tmp_path):
    """What a process that has just begun knows."""
    return lambda: History.of(stores.database.schema, tmp_path, DEPLOYMENT)


def check(stores, history) -> None:
    with stores.database.read() as connection:
        history.check(connection)


def remember(stores, history) -> None:
    with stores.database.read() as connection:
        history.remember(connection)


def forget(stores, seq: int) -> None:
    events = stores.database.schema.events
    with stores.database.write() as connection:
        connection.execute(events.delete().where(events.c.seq >= seq))


def test_first_process_of_a_machine_trusts_the_store(stores, opened, happen):
    check(stores, opened())
    happen()
    check(stores, opened())


def test_store_that_went_on_is_trusted(stores, opened, happen):
    happen()
    remember(stores, opened())
    happen()
    check(stores, opened())
    remember(stores, opened())
    check(stores, opened())


def test_empty_store_is_remembered_as_nothing(stores, opened, happen):
    remember(stores, opened())
    check(stores, opened())
    happen()
    check(stores, opened())


def test_store_without_its_latest_event_was_restored(stores, opened, happen):
    happen()
    latest = happen()
    remember(stores, opened())
    forget(stores, latest)
    with pytest.raises(StoreRestored, match=f"event {latest}") as refused:
        check(stores, opened())
    assert "vmwright db restored" in refused.value.hint
    assert refused.value.exit_code == 7


def test_store_that_went_another_way_since_its_backup_was_restored(stores, opened, happen):
    """Its events have the numbers that others had."""
    happen()
    latest = happen()
    remember(stores, opened())
    forget(stores, latest)
    events = stores.database.schema.events
    other = happen(at=5.0)
    with stores.database.write() as connection:
        connection.execute(events.update().where(events.c.seq == other).values(seq=latest))
    with pytest.raises(StoreRestored):
        check(stores, opened())


def test_what_was_seen_last_is_not_taken_back_by_a_store_that_forgot_it(stores, opened, happen):
    happen()
    latest = happen()
    remember(stores, opened())
    forget(stores, latest)
    with pytest.raises(StoreRestored):
        remember(stores, opened())
    with pytest.raises(StoreRestored):
        check(stores, opened())


def test_store_that_forgets_while_it_is_used_is_noticed(stores, opened, happen):
    """Its server fell back to a replica that had not received everything."""
    happen()
    latest, user = happen(), opened()
    check(stores, user)
    remember(stores, user)
    assert user.is_kept
    forget(stores, latest)
    with pytest.raises(StoreRestored):
        remember(stores, user)
    assert not user.is_kept
    with pytest.raises(StoreRestored):
        check(stores, user)
    with stores.database.read() as connection:
        opened().accept(connection, at=12.5)
    check(stores, user)
    assert user.is_kept


def test_restored_store_is_trusted_once_that_was_accepted(stores, opened, happen):
    happen()
    latest = happen()
    remember(stores, opened())
    forget(stores, latest)
    with stores.database.read() as connection:
        assert opened().forgotten_until(connection) > 1_700_000_000
        opened().accept(connection, at=12.5)
    check(stores, opened())
    happen()
    remember(stores, opened())
    check(stores, opened())
    with stores.database.read() as connection:
        assert opened().forgotten_until(connection) == 12.5


def test_store_without_events_is_accepted(stores, opened, happen):
    latest = happen()
    remember(stores, opened())
    forget(stores, latest)
    with stores.database.read() as connection:
        opened().accept(connection, at=1.0)
    check(stores, opened())


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_file_that_says_nothing_is_not_taken_for_nothing(stores, tmp_path, opened, content):
    path = Path(tmp_path) / "history" / f"{DEPLOYMENT}.json"
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(Unavailable, match="cannot be read"):
        check(stores, opened())


def test_what_was_seen_is_for_its_owner_only(stores, tmp_path, opened, happen):
    happen()
    remember(stores, opened())
    (path,) = (tmp_path / "history").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert set(json.loads(path.read_text())) >= {"seq", "operation", "at"}
