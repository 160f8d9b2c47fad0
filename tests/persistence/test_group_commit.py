"""What several runs say at one moment shares a transaction; each one's failure is its own."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from tests.support.dialects import SERVERS_IN_TURN
from tests.support.rows import stored_operation
from vmwright.errors import ClaimLost, Internal, Refused, StoreUnavailable
from vmwright.ids import OwnerId, new_id
from vmwright.persistence.group_commit import Entry
from vmwright.persistence.held_operations import Claim
from vmwright.persistence.records import Event
from vmwright.states import OperationState

ME = OwnerId(new_id())


@pytest.fixture
def operations(stores):
    """Several that are ours, in epoch 1."""
    with stores.database.write() as connection:
        known = [stored_operation(stores, connection) for _ in range(4)]
        for operation in known:
            stores.operations.claim(connection, operation, ME)
    return known


class Saying(Entry):
    """Says one thing."""

    def __init__(self, operation, *, write=None, epoch=1, taken_back=None):
        super().__init__(operation.id, epoch)
        self._event = Event(
            operation_id=operation.id,
            instance_id=operation.instance_id,
            kind="task",
            state="RUNNING",
        )
        self.before = write
        self._taken_back = [] if taken_back is None else taken_back

    def write(self, connection, held, rows):
        self.held = held
        if self.before is not None:
            self.before(connection)
        rows.events.append(self._event)

    def take_back(self):
        self._taken_back.append(self.operation)


def at_once(stores, entries):
    """Commit these while a transaction is under way, so that they wait for it together; what each
    came to."""
    under_way, go_on = threading.Event(), threading.Event()

    def hold(_connection):
        under_way.set()
        assert go_on.wait(60)

    first, *others = entries
    assert first.before is None, "it holds the transaction"
    first.before = hold
    group = stores.group
    with ThreadPoolExecutor(len(entries)) as pool:
        leading = pool.submit(group.commit, first, alone=False)
        assert under_way.wait(60)
        waiting = [pool.submit(group.commit, other, alone=False) for other in others]
        while group._turns.waiting() < len(others):
            threading.Event().wait(0.001)
        go_on.set()
        return [leading.exception(60), *(other.exception(60) for other in waiting)]


def count_of_commits(stores, work):
    commits = []

    def note(_connection):
        commits.append(1)

    sa.event.listen(stores.database.writer, "commit", note)
    try:
        work()
    finally:
        sa.event.remove(stores.database.writer, "commit", note)
    return len(commits)


def told(stores, operation):
    with stores.database.read() as connection:
        return len(stores.operations.events(connection, operation.id))


def test_those_that_come_meanwhile_share_the_next_transaction(stores, operations):
    commits = count_of_commits(
        stores, lambda: at_once(stores, [Saying(operation) for operation in operations])
    )
    assert commits == 2
    assert [told(stores, operation) for operation in operations] == [1, 1, 1, 1]


def test_stale_one_fails_alone(stores, operations):
    with stores.database.write() as connection:
        known = stores.operations.get(connection, operations[2].id)
        stores.operations.claim(connection, known, OwnerId(new_id()))
    taken_back = []
    entries = [Saying(one, taken_back=taken_back) for one in operations]
    outcomes = at_once(stores, entries)
    assert [type(outcome) for outcome in outcomes] == [
        type(None),
        type(None),
        ClaimLost,
        type(None),
    ]
    assert [told(stores, one) for one in operations] == [1, 1, 0, 1]


@pytest.mark.parametrize("error", [Refused("no"), RuntimeError("a defect")], ids=["ours", "defect"])
def test_one_that_raises_fails_alone_and_what_it_wrote_is_not_there(stores, operations, error):
    def write(connection):
        stores.operations.change(connection, operations[2].id, attempt=9)
        raise error

    taken_back = []
    entries = [Saying(one, taken_back=taken_back) for one in operations]
    entries[2] = Saying(operations[2], write=write, taken_back=taken_back)
    outcomes = at_once(stores, entries)
    assert outcomes == [None, None, error, None]
    assert [told(stores, one) for one in operations] == [1, 1, 0, 1]
    assert operations[2].id in taken_back
    with stores.database.read() as connection:
        assert stores.operations.get(connection, operations[2].id).attempt == 1


def test_writer_that_fails_fails_all_that_wait_with_it(stores, operations):
    fails = [StoreUnavailable("gone")]

    def write(_connection):
        raise fails[0]

    entries = [Saying(one) for one in operations]
    entries[1] = Saying(operations[1], write=write)
    outcomes = at_once(stores, entries)
    assert outcomes == [None, fails[0], fails[0], fails[0]]
    assert [told(stores, one) for one in operations] == [1, 0, 0, 0]
    # And it goes on with those who come then.
    stores.group.commit(Saying(operations[3]), alone=False)
    assert told(stores, operations[3]) == 1


def test_one_that_was_neither_committed_nor_refused_says_so(stores, operations, monkeypatch):
    monkeypatch.setattr(stores.group._turns, "take", lambda _entry: None)
    with pytest.raises(Internal, match="was not made"):
        stores.group.commit(Saying(operations[0]), alone=False)


@pytest.mark.parametrize("dialect", SERVERS_IN_TURN)
def test_those_that_may_wait_for_rows_of_others_keep_nobody_waiting(stores, operations):
    """SQLite has one writer at a time: there nobody waits for rows."""
    inside, go_on = threading.Event(), threading.Event()

    def slow(_connection):
        inside.set()
        assert go_on.wait(60)

    with ThreadPoolExecutor(1) as pool:
        slow_one = pool.submit(stores.group.commit, Saying(operations[0], write=slow), alone=True)
        assert inside.wait(60)
        stores.group.commit(Saying(operations[1]), alone=False)
        assert (told(stores, operations[1]), slow_one.done()) == (1, False)
        go_on.set()
        slow_one.result(60)
    assert told(stores, operations[0]) == 1


# Claims that go with the first thing that a run says.


@pytest.fixture
def queued(stores):
    with stores.database.write() as connection:
        return [stored_operation(stores, connection) for _ in range(3)]


def claiming(operation, owner=ME, takes_turn=None):
    known = Saying(operation)
    known.claim = Claim(operation=operation, owner=owner, takes_turn=takes_turn)
    return known


def now(stores, operation):
    with stores.database.read() as connection:
        known = stores.operations.get(connection, operation.id)
    return known.state, known.epoch, known.owner_id


def test_operation_is_claimed_by_what_its_run_says_first(stores, queued):
    outcomes = at_once(stores, [claiming(operation) for operation in queued])
    assert outcomes == [None, None, None]
    assert [now(stores, one) for one in queued] == [(OperationState.RUNNING, 1, ME)] * 3
    assert [told(stores, one) for one in queued] == [1, 1, 1]


def test_operation_that_somebody_else_has_claimed_is_left_alone(stores, queued):
    other = OwnerId(new_id())
    with stores.database.write() as connection:
        stores.operations.claim(connection, queued[1], other)
    outcomes = at_once(stores, [claiming(operation) for operation in queued])
    assert [type(outcome) for outcome in outcomes] == [type(None), ClaimLost, type(None)]
    assert now(stores, queued[1]) == (OperationState.RUNNING, 1, other)
    assert told(stores, queued[1]) == 0


def test_claim_whose_answer_was_lost_is_known_as_ours(stores, queued):
    first = queued[0]
    stores.group.commit(claiming(first), alone=False)
    stores.group.commit(claiming(first), alone=False)
    assert now(stores, first) == (OperationState.RUNNING, 1, ME)


def test_operation_whose_instance_is_taken_is_not_claimed(stores, queued):
    first = queued[0]
    with pytest.raises(ClaimLost):
        stores.group.commit(claiming(first, takes_turn=lambda _: False), alone=False)
    assert now(stores, first) == (OperationState.QUEUED, 0, None)
    assert told(stores, first) == 0


def test_wish_to_cancel_is_told_to_the_first_transaction(stores, queued):
    with stores.database.write() as connection:
        stores.operations.ask_to_cancel(connection, queued[0].id, "enough")
    known = claiming(queued[0])
    stores.group.commit(known, alone=False)
    assert known.held == ("enough", OperationState.RUNNING)
