"""Requests that several threads hand in at one moment are taken in by one transaction."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from tests.service.test_several import opened, wish
from tests.support.lab import Lab
from vmwright.controller import Controller
from vmwright.errors import Conflict, NotFound, QuotaExceeded
from vmwright.persistence.records import Operation
from vmwright.request import CreateRequest

PATIENCE = 60
Outcome = Operation | BaseException


@contextmanager
def commits(controller: Controller) -> Iterator[list[object]]:
    made: list[object] = []

    def note(connection: object) -> None:
        made.append(connection)

    sa.event.listen(controller._database.writer, "commit", note)
    yield made
    sa.event.remove(controller._database.writer, "commit", note)


def at_once(
    controller: Controller,
    ask: Callable[[CreateRequest], Operation],
    requests: Sequence[CreateRequest],
) -> list[Outcome]:
    """What each came to. The first waits for the file, which is held here, and all others for
    the first."""
    turns = controller._door._storing._turns
    with ThreadPoolExecutor(len(requests)) as pool:
        asked: list[Future[Operation]] = []
        with controller._database.write():
            asked.append(pool.submit(ask, requests[0]))
            while not turns._is_led:
                threading.Event().wait(0.001)
            for number, request in enumerate(requests[1:], 1):
                asked.append(pool.submit(ask, request))
                while turns.waiting() < number:
                    threading.Event().wait(0.001)
        return [one.exception(PATIENCE) or one.result() for one in asked]


def stored(lab: Lab) -> list[str]:
    rows = lab.rows("SELECT name FROM vmwright_instances ORDER BY seq")
    return [str(row["name"]) for row in rows]


def named(lab: Lab, outcomes: Sequence[Outcome]) -> list[str | type]:
    """The instances' names, in the place of their builds, and the kinds of refusals."""
    names = {
        row["operation_id"]: str(row["name"])
        for row in lab.rows("SELECT name, operation_id FROM vmwright_instances")
    }
    return [names[one.id] if isinstance(one, Operation) else type(one) for one in outcomes]


def test_those_who_come_while_one_is_taken_in_share_a_transaction(lab: Lab) -> None:
    with opened(lab) as controller:
        controller.submit(wish(name="before"))
        with commits(controller) as made:
            outcomes = at_once(
                controller, controller.submit, [wish(name=f"vm{number}") for number in range(6)]
            )
        assert named(lab, outcomes) == [f"vm{number}" for number in range(6)]
    # The first one's, that of the other five, and that which held the file.
    assert len(made) == 3
    assert len({one.reservation_id for one in outcomes if isinstance(one, Operation)}) == 6


def test_a_request_that_is_refused_takes_no_other_along(lab: Lab) -> None:
    with opened(lab) as controller:
        controller.submit(wish(name="before"))
        requests = [wish(name="a"), wish(name="b"), wish(flavor="no-such"), wish(name="d")]
        outcomes = at_once(controller, controller.submit, requests)
    assert named(lab, outcomes) == ["a", "b", NotFound, "d"]
    assert sorted(stored(lab)) == ["a", "b", "before", "d"]


def test_together_they_get_what_a_quota_leaves_and_no_more(lab: Lab) -> None:
    with opened(lab, instances=4) as controller:
        controller.submit(wish(name="before"))
        outcomes = at_once(
            controller, controller.submit, [wish(name=f"vm{number}") for number in range(6)]
        )
    refused = [one for one in outcomes if isinstance(one, QuotaExceeded)]
    assert len(refused) == 3
    assert "already used 4 of 4 instances" in str(refused[0])
    assert len(stored(lab)) == 4


def test_one_key_of_two_threads_is_one_build_that_runs_once(lab: Lab) -> None:
    with opened(lab) as controller:
        controller.wait(controller.create(wish(name="before")).id, PATIENCE)
        same = wish(name="a", idempotency_key="k")
        first, *both = at_once(controller, controller.create, [wish(name="b"), same, same])
        for one in (first, *both):
            assert isinstance(one, Operation)
            assert controller.wait(one.id, PATIENCE).state == "done"
    assert both[0] == both[1]
    assert sorted(stored(lab)) == ["a", "b", "before"]
    epochs = lab.rows("SELECT DISTINCT epoch FROM vmwright_operations")
    assert epochs == [{"epoch": 1}]


def test_one_key_of_two_threads_takes_no_transaction_more(lab: Lab) -> None:
    with opened(lab) as controller:
        controller.submit(wish(name="before"))
        same = wish(name="a", idempotency_key="k")
        with commits(controller) as made:
            at_once(controller, controller.submit, [wish(name="b"), same, same])
    assert len(made) == 3


def test_one_key_of_two_threads_with_two_bodies_is_a_conflict_of_one_of_them(lab: Lab) -> None:
    with opened(lab) as controller:
        controller.submit(wish(name="before"))
        requests = [
            wish(name="a"),
            wish(name="b", idempotency_key="k"),
            wish(name="c", idempotency_key="k"),
        ]
        outcomes = at_once(controller, controller.submit, requests)
    assert [type(one) for one in outcomes].count(Conflict) == 1
    assert len(stored(lab)) == 3


def test_those_that_begin_here_and_those_that_do_not_share_a_transaction(lab: Lab) -> None:
    """A host is asked before what begins here, if none has answered lately: only for those."""
    (host,) = (lab.home / "world" / "hosts").iterdir()
    with opened(lab) as controller:
        controller.submit(wish(name="before"))
        (host / "down").touch()

        def ask(request: CreateRequest) -> Operation:
            begins = request.name == "begun"
            return controller.create(request) if begins else controller.submit(request)

        requests = [wish(name="a"), wish(name="b"), wish(name="begun"), wish(name="c")]
        outcomes = at_once(controller, ask, requests)
        assert isinstance(outcomes.pop(2), Exception)
        (host / "down").unlink()
        assert named(lab, outcomes) == ["a", "b", "c"]
    assert sorted(stored(lab)) == ["a", "b", "before", "c"]


@pytest.mark.parametrize("count", [1, 3])
def test_one_thread_alone_makes_one_transaction_a_call(lab: Lab, count: int) -> None:
    with opened(lab) as controller:
        controller.submit(wish(name="before"))
        with commits(controller) as made:
            for number in range(count):
                controller.submit(wish(name=f"vm{number}"))
    assert len(made) == count
