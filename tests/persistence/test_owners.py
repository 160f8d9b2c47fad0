"""A process is trusted as long as it renews its word, on the clock of the database."""

import pytest
import sqlalchemy as sa

from tests.support.rows import stored_operation
from vmwright.ids import OwnerId, new_id


@pytest.fixture
def owner(stores):
    owner = OwnerId(new_id())
    with stores.database.write() as connection:
        stores.owners.add(
            connection, owner, machine="m", lock_path="/locks/x", lease=60.0, flows=set()
        )
    return owner


def expired(stores) -> dict[OwnerId, bool]:
    with stores.database.read() as connection:
        return {owner.id: gone for owner, gone in stores.owners.all(connection)}


def pass_time(stores, seconds: float) -> None:
    """As if the clock of the database had gone on."""
    owners = stores.database.schema.owners
    with stores.database.write() as connection:
        connection.execute(sa.update(owners).values(expires_at=owners.c.expires_at - seconds))


def test_new_owner_is_trusted_for_its_lease(stores, owner):
    assert expired(stores) == {owner: False}
    pass_time(stores, 61.0)
    assert expired(stores) == {owner: True}


def test_lease_is_counted_by_the_database_whatever_time_the_process_has(stores, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 0.0)
    owner = OwnerId(new_id())
    with stores.database.write() as connection:
        stores.owners.add(connection, owner, machine="m", lock_path="/l", lease=9.0, flows=set())
    assert expired(stores) == {owner: False}


def test_renewed_owner_is_trusted_again(stores, owner):
    pass_time(stores, 61.0)
    with stores.database.write() as connection:
        assert stores.owners.renew(connection, owner, 60.0)
    assert expired(stores) == {owner: False}


def test_owner_whose_row_is_gone_learns_that_it_owns_nothing(stores, owner):
    with stores.database.write() as connection:
        stores.owners.remove(connection, owner)
        assert not stores.owners.renew(connection, owner, 60.0)
    assert expired(stores) == {}


def test_owner_of_running_operations_is_not_forgotten(stores, owner):
    with stores.database.write() as connection:
        operation = stored_operation(stores, connection)
        stores.operations.claim(connection, operation, owner)
        stores.owners.remove(connection, owner)
    assert owner in expired(stores)
    with stores.database.write() as connection:
        stores.operations.move(connection, operation.id, "done")
        stores.owners.remove(connection, owner)
    assert owner not in expired(stores)


def test_clock_of_the_database_has_fractions_of_seconds(stores):
    owner = OwnerId(new_id())
    with stores.database.write() as connection:
        stores.owners.add(connection, owner, machine="m", lock_path="/l", lease=0.25, flows=set())
        row = connection.execute(sa.select(stores.database.schema.owners)).one()
    assert row.expires_at - row.started_at == pytest.approx(0.25, abs=0.05)
