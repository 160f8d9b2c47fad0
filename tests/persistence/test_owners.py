"""A process is trusted as long as it renews its word, on the clock of the database."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.attempts import until
from tests.support.rows import stored_operation
from vmwright.ids import OperationId, OwnerId, new_id
from vmwright.ownership import Ownership, is_dead, lease_clock, machine


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


@pytest.fixture
def ownership(stores, tmp_path: Path):
    ownership = Ownership(stores, tmp_path, lease=60.0)
    yield ownership
    ownership.close()


def claimed(stores, owner: OwnerId) -> OperationId:
    with stores.database.write() as connection:
        operation = stored_operation(stores, connection)
        assert stores.operations.claim(connection, operation, owner) == 1
    return operation.id


def renewed_once(ownership: Ownership, began: float) -> None:
    """Return once a renewal that began later is over."""
    renewals: list[float] = []
    ownership.start(lambda _ours, as_of: renewals.append(as_of))
    until(lambda: any(as_of > began for as_of in renewals))


def test_operation_is_trusted_as_long_as_renewals_find_it_ours(stores, ownership):
    operation = claimed(stores, ownership.id)
    renewed_once(ownership, lease_clock())
    assert ownership.trusts(operation, since=0.0)


def test_operation_that_was_taken_over_is_not_trusted_although_our_word_is_good_again(
    stores, ownership
):
    """So it is for a process that was stopped past its lease, and is renewed before it looks."""
    operation = claimed(stores, ownership.id)
    operations = stores.database.schema.operations
    with stores.database.write() as connection:
        connection.execute(sa.update(operations).values(owner_id=new_id(), epoch=2))
    since = lease_clock()
    renewed_once(ownership, since)
    assert not ownership.trusts(operation, since)
    assert ownership.trusts(operation, since=lease_clock())  # claimed after the renewal


def test_nothing_is_trusted_before_the_first_word_and_after_the_last(stores, tmp_path):
    ownership = Ownership(stores, tmp_path, lease=0.0)
    try:
        operation = claimed(stores, ownership.id)
        assert not ownership.trusts(operation, since=lease_clock())
        ownership.start(lambda _ours, _as_of: None)
        assert not ownership.trusts(operation, since=lease_clock())
    finally:
        ownership.close()


def test_stopped_process_lives_as_long_as_its_word_is_good(stores, tmp_path: Path):
    """It holds its lock: on its own machine too, only the expiry counts."""
    holder = (
        "import fcntl, os, signal, sys; file = open(sys.argv[1], 'w');"
        "fcntl.flock(file, fcntl.LOCK_EX); os.kill(os.getpid(), signal.SIGSTOP)"
    )
    lock = tmp_path / "lock"
    process = subprocess.Popen([sys.executable, "-c", holder, str(lock)])
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    owner = OwnerId(new_id())
    with stores.database.write() as connection:
        where = {"machine": machine(), "lock_path": str(lock)}
        stores.owners.add(connection, owner, **where, lease=60.0, flows=set())
    with stores.database.read() as connection:
        ((known, _),) = stores.owners.all(connection)
    assert not is_dead(known, expired=False, here=machine())
    assert is_dead(known, expired=True, here=machine())
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert is_dead(known, expired=False, here=machine())
