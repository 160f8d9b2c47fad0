"""Connections to one host: more while it is busy, and none of them once it hangs.

What hangs here are the questions.
"""

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.attempts import until
from tests.support.private_host import PrivateHost
from vmwright.backends.libvirt.connection import HostConnection
from vmwright.errors import Unavailable
from vmwright.waiting import Wait

pytestmark = pytest.mark.libvirt

CALLS = 4
"""At once: some."""

Ask = Callable[[], "Future[Any]"]


@contextmanager
def held(
    connection: HostConnection, *, slow: bool = False
) -> Iterator[tuple[list[Any], Ask, threading.Event]]:
    """The connections of questions that came to the host and wait there, how to ask one more, and
    what lets them be answered."""
    came, go_on = list[Any](), threading.Event()

    def question(reached: Any) -> Any:
        came.append(reached)
        go_on.wait()

    with ThreadPoolExecutor(16) as pool:
        try:
            asking = partial(connection.ask, "wait", question, Wait(60), slow=slow)
            yield came, lambda: pool.submit(asking), go_on
        finally:
            go_on.set()
            connection.close()


def is_being_opened() -> bool:
    """Whether a connection is, beside one that works."""
    return "libvirt: connect" in {thread.name for thread in threading.enumerate()}


def sockets() -> set[str]:
    """What this process has open, whether a daemon has let it in or not."""
    # None that is closed meanwhile is an error for realpath.
    links = [os.path.realpath(file) for file in Path("/proc/self/fd").iterdir()]
    return {link for link in links if "socket:" in link}


def test_call_gets_a_connection_of_its_own_once_there_is_one(libvirt_host: PrivateHost) -> None:
    """Nobody waits until it is there: through ssh that takes seconds."""
    connection = HostConnection(libvirt_host.uri, 60.0, connections=2)
    with held(connection) as (came, ask, _):
        ask()
        until(lambda: len(came) == 1)
        assert connection.ask("look", lambda reached: reached is came[0], Wait(60))
        until(lambda: connection.ask("look", lambda reached: reached is not came[0], Wait(60)))


def test_calls_at_once_are_spread_over_the_connections_there_are(libvirt_host: PrivateHost) -> None:
    connection = HostConnection(libvirt_host.uri, 60.0, connections=2)
    with held(connection) as (came, ask, _):
        ask()
        until(lambda: len(came) == 1)
        until(lambda: connection.ask("look", lambda reached: reached is not came[0], Wait(60)))
        for asked in range(2, 9):
            ask()
            until(lambda: len(came) == asked)  # noqa: B023
        each = Counter(id(reached) for reached in came)
        assert list(each.values()) == [4, 4]


def test_connection_that_is_made_while_all_are_closed_is_closed_too(
    libvirt_host: PrivateHost,
) -> None:
    before = sockets()
    connection = HostConnection(libvirt_host.uri, 60.0, connections=2)
    with held(connection) as (came, ask, go_on):
        ask()
        until(lambda: len(came) == 1)
        libvirt_host.freeze_libvirtd()
        beside = ask()
        until(lambda: len(came) == 2)
        assert came[0] is came[1]
        until(lambda: len(sockets() - before) == 2)
        connection.close()
        libvirt_host.thaw_libvirtd()
        go_on.set()
        assert beside.result() is None
        until(lambda: sockets() <= before)


def test_host_that_lets_no_more_connections_in_is_asked_on_those_that_it_has_let_in(
    libvirt_host: PrivateHost,
) -> None:
    """A daemon that has as many clients as it takes lets others wait, as a frozen one does."""
    connection = HostConnection(libvirt_host.uri, 1.0, rest=60.0, connections=2)
    with held(connection, slow=True) as (came, ask, _):
        ask()
        until(lambda: len(came) == 1)
        libvirt_host.freeze_libvirtd()
        try:
            for asked in range(2, CALLS + 1):
                ask()
                until(lambda: len(came) == asked)  # noqa: B023
            until(lambda: not is_being_opened())
            assert connection.ask("look", lambda reached: reached is came[0], Wait(60))
            assert not is_being_opened(), "it was tried a moment ago"
        finally:
            libvirt_host.thaw_libvirtd()


def test_host_has_no_more_connections_than_were_allowed(libvirt_host: PrivateHost) -> None:
    with held(HostConnection(libvirt_host.uri, 60.0, connections=2)) as (came, ask, go_on):
        asked = [ask() for _ in range(3 * CALLS)]
        until(lambda: len(came) == len(asked))
        go_on.set()
        assert {future.result() for future in asked} == {None}
    assert len({id(reached) for reached in came}) <= 2


def test_call_that_hangs_opens_the_circuit_although_another_connection_answers(
    libvirt_host: PrivateHost,
) -> None:
    """Law 11: nobody asks the host for a while, on whichever connection."""
    hasty = HostConnection(libvirt_host.uri, 0.5, rest=60.0, connections=2)
    with held(hasty) as (came, ask, _):
        asked = ask()
        until(lambda: len(came) == 1)
        # On a connection of its own, which answers.
        until(lambda: hasty.ask("look", lambda reached: reached is not came[0], Wait(60)))
        assert "no answer within 0.5 s" in str(asked.exception())
        with pytest.raises(Unavailable, match="rests"):
            hasty.ask("look", lambda _: None, Wait(60))


def test_connection_that_is_given_up_is_closed_after_its_last_call(
    libvirt_host: PrivateHost,
) -> None:
    connection = HostConnection(libvirt_host.uri, 60.0, connections=2)
    with held(connection) as (came, ask, go_on):
        asked = ask()
        until(lambda: len(came) == 1)
        connection.close()
        assert came[0].isAlive()
        go_on.set()
        assert asked.result() is None
        until(lambda: not came[0].pools)
