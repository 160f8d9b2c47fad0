"""What an accepted build costs the store: statements and transactions, which are its time.

A line that is added here is a decision: each costs every build that is ever asked for.
"""

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.support import lab as labs
from tests.support.lab import Lab
from tests.support.oracle import assert_nothing_left
from tests.support.tally import tallied
from vmwright.controller import Controller
from vmwright.errors import Unavailable
from vmwright.request import CreateRequest
from vmwright.settings import QuotaSettings

ONE_BUILD = [
    "SELECT hosts",
    "SELECT security_groups",
    "SELECT quotas",
    "SELECT flavors",
    "SELECT images",
    "SELECT networks",
    "INSERT instances",
    "INSERT secrets",
    "INSERT operations",
    "INSERT attempts",
    "INSERT logbooks",
    "INSERT flowdetails",
    "INSERT atomdetails",
    "INSERT events",
]
COUNTED = ["UPDATE projects", "SELECT instances"]
"""Where there is a limit: nobody else counts meanwhile, and all that counts is added up."""
UNLIMITED = 1000


@pytest.fixture
def warm(lab: Lab) -> Iterator[Controller]:
    """Somebody has built here before, and a host has just answered."""
    with Controller(lab.settings) as controller:
        controller.wait(controller.create(wish(name="before")).id, timeout=60)
        yield controller


def wish(**changes: object) -> CreateRequest:
    return labs.request(volumes=[{"size": 1}], user_data=None, **changes)


def test_a_build_takes_one_transaction_and_a_statement_for_each_table(warm: Controller) -> None:
    with tallied(warm._database) as tally:
        warm.submit(wish())
    assert tally.said == ONE_BUILD
    assert tally.transactions == 1


def test_a_build_that_begins_here_takes_no_more(warm: Controller) -> None:
    """No host is asked, and what was just stored is not read back."""
    with tallied(warm._database) as tally:
        warm.create(wish())
    assert tally.said == ONE_BUILD
    assert tally.transactions == 1


def test_more_instances_of_a_request_take_no_more(warm: Controller) -> None:
    with tallied(warm._database) as tally:
        (reservation,) = warm.submit_all(wish(min_count=7))
    assert len(reservation.operations) == 7
    assert tally.said == ONE_BUILD
    assert tally.transactions == 1


def test_requests_that_name_the_same_things_take_no_more(warm: Controller) -> None:
    with tallied(warm._database) as tally:
        reservations = warm.submit_all(*(wish(name=f"vm{number}") for number in range(9)))
    assert len(reservations) == 9
    assert tally.said == ONE_BUILD
    assert tally.transactions == 1


def test_what_has_a_limit_is_counted_once_for_all_requests(lab: Lab) -> None:
    settings = replace(lab.settings, quota=QuotaSettings(instances=UNLIMITED, ram=UNLIMITED**2))
    with Controller(settings) as controller:
        controller.submit(wish(name="before"))
        with tallied(controller._database) as tally:
            controller.submit_all(*(wish(name=f"vm{number}") for number in range(9)))
    assert sorted(tally.said) == sorted(ONE_BUILD + COUNTED)
    assert tally.transactions == 1


def test_a_key_of_ones_own_is_looked_up_once_for_all_requests(warm: Controller) -> None:
    wishes = [wish(name=f"vm{number}", idempotency_key=f"k{number}") for number in range(3)]
    with tallied(warm._database) as tally:
        warm.submit_all(*wishes)
    assert sorted(tally.said) == sorted([*ONE_BUILD, "SELECT operations"])


def test_a_host_that_goes_away_after_it_has_answered_costs_a_build_that_is_taken_back(
    lab: Lab,
) -> None:
    """It is not asked for each build. One that finds it gone ends as if it had gone later."""
    with Controller(lab.settings) as controller:
        controller.inventory.ensure_some_host_answers(5.0)
        (host,) = (lab.home / "world" / "hosts").iterdir()
        (host / "down").touch()
        operation = controller.wait(controller.create(labs.request()).id, timeout=60)
        assert operation.state == "undone"
        (host / "down").unlink()
        # One that was tried a moment ago, when the host was away, is not due yet.
        while controller.pay_debts():
            threading.Event().wait(0.05)
    assert_nothing_left(lab)


def test_a_host_that_has_not_answered_lately_is_asked_first(lab: Lab) -> None:
    (host,) = (lab.home / "world" / "hosts").iterdir()
    (host / "down").touch()
    with Controller(lab.settings) as controller:
        with pytest.raises(Unavailable):
            controller.create(wish())
        assert controller.instances() == []
        assert controller.submit(wish()).state == "queued"
