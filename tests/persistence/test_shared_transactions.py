"""Threads that store at one moment share a transaction; what fails of it is each one's own."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from tests.persistence.test_group_commit import count_of_commits
from vmwright.errors import Conflict, StoreUnavailable, TransactionGivenUp
from vmwright.ids import FlavorId, new_id
from vmwright.persistence.records import Flavor
from vmwright.persistence.shared_transactions import SharedTransactions

PATIENCE = 60


def flavor(name):
    return Flavor(id=FlavorId(new_id()), name=name, vcpus=1, ram_mib=64, disk_gib=1)


class Storing:
    """Stores a flavor for each name, and answers with the name and whether it was a later try."""

    def __init__(self, stores):
        self.stores = stores
        self.shared = SharedTransactions(stores.database, self.work)
        self.under_way, self.go_on = threading.Event(), threading.Event()
        self.tries = []
        self.fail = lambda _names: None

    def work(self, connection, names, again):
        self.tries.append(list(names))
        if len(self.tries) == 1:
            self.under_way.set()
            assert self.go_on.wait(PATIENCE)
        flavors = self.stores.registries.flavors
        for name in names:
            if not (again and flavors.has(connection, "name", name)):
                flavors.add(connection, flavor(name))
        self.fail(names)
        return [(name, again) for name in names]

    def at_once(self, first, *others):
        """What each came to, when all others came while the first was under way."""
        with ThreadPoolExecutor(1 + len(others)) as pool:
            stored = [pool.submit(self.shared.store, first)]
            assert self.under_way.wait(PATIENCE)
            stored += [pool.submit(self.shared.store, other) for other in others]
            while self.shared._turns.waiting() < len(others):
                threading.Event().wait(0.001)
            self.go_on.set()
            return [one.exception(PATIENCE) or one.result() for one in stored]

    def names(self):
        with self.stores.database.read() as connection:
            return sorted(one.name for one in self.stores.registries.flavors.all(connection))


@pytest.fixture
def storing(stores):
    return Storing(stores)


def refuse(name, error):
    def fail(names):
        if name in names:
            raise error

    return fail


def test_those_that_come_meanwhile_share_the_next_transaction(stores, storing):
    outcomes = []
    commits = count_of_commits(stores, lambda: outcomes.extend(storing.at_once("a", "b", "c")))
    assert outcomes == [("a", False), ("b", False), ("c", False)]
    assert commits == 2
    assert storing.names() == ["a", "b", "c"]


def test_one_that_is_refused_keeps_none_of_the_others_out(storing):
    storing.fail = refuse("c", Conflict("not c"))
    a, b, c, d = storing.at_once("a", "b", "c", "d")
    assert (a, b, d) == (("a", False), ("b", True), ("d", True))
    assert isinstance(c, Conflict)
    assert storing.names() == ["a", "b", "d"]


def test_one_that_is_refused_alone_is_tried_once(storing):
    storing.go_on.set()
    storing.fail = refuse("a", Conflict("not a"))
    with pytest.raises(Conflict):
        storing.shared.store("a")
    assert storing.tries == [["a"]]


@pytest.mark.parametrize("error", [TransactionGivenUp("deadlock"), StoreUnavailable("gone")])
def test_what_the_database_gave_up_is_done_again_for_each(storing, error):
    failing = [error]

    def fail(names):
        if len(names) == 3 and failing:
            raise failing.pop()

    storing.fail = fail
    assert storing.at_once("a", "b", "c", "d") == [
        ("a", False),
        ("b", True),
        ("c", True),
        ("d", True),
    ]
    assert storing.names() == ["a", "b", "c", "d"]


def test_what_was_stored_though_the_answer_was_lost_is_found_again(stores, storing):
    """A commit that was made, and of which nobody heard."""
    lost = []

    def lose(connection):
        if len(storing.tries[-1]) == 2 and not lost:
            raw = connection.connection.dbapi_connection
            raw.commit()
            lost.append(raw)
            raise StoreUnavailable("no answer")

    sa.event.listen(stores.database.writer, "commit", lose)
    try:
        outcomes = storing.at_once("a", "b", "c")
    finally:
        sa.event.remove(stores.database.writer, "commit", lose)
    assert lost, "no answer was lost"
    assert outcomes == [("a", False), ("b", True), ("c", True)]
    assert storing.names() == ["a", "b", "c"]


def test_one_that_the_database_refuses_keeps_none_of_the_others_out(stores, storing):
    """The name is taken: a try again would only find what another one stored."""
    with stores.database.write() as connection:
        stores.registries.flavors.add(connection, flavor("a"))
    outcomes = storing.at_once("b", "a", "c")
    assert outcomes == [("b", False), ("a", True), ("c", True)]
    assert storing.names() == ["a", "b", "c"]
