"""Who waits for what this process runs is told of its end, and asks the store for next to nothing
until then. Here nobody looks again by himself: whoever is not told waits for ever."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from tests.support import lab as labs
from tests.support.attempts import until
from tests.support.breaking import meet
from tests.support.crowds import all_at_once
from tests.support.lab import Lab
from vmwright import watching
from vmwright.controller import Controller
from vmwright.errors import Conflict
from vmwright.ids import OperationId
from vmwright.news import News
from vmwright.states import Direction

A_LONG_TIME = 3600.0


@pytest.fixture(autouse=True)
def _never_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_SELDOM", A_LONG_TIME)


def looks(controller: Controller) -> list[str]:
    """What threads that wait say to the store from now on."""
    said: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if threading.current_thread().name == "waits" and statement.startswith("SELECT"):
            said.append(statement)

    sa.event.listen(controller._database.reader, "before_cursor_execute", note)
    return said


def test_fifty_who_wait_look_once_before_and_once_after_the_end(lab: Lab) -> None:
    def child(controller: Controller) -> None:
        said = looks(controller)
        operation = controller.create(labs.request())

        def wait() -> None:
            threading.current_thread().name = "waits"
            assert controller.wait(operation.id).state == "done"

        assert all_at_once([wait] * 50) == [None] * 50
        print(len(said))

    (looked,) = lab.child(child).output.split()
    assert 50 <= int(looked) <= 100


def test_who_watches_sees_each_event_as_it_is_committed(lab: Lab) -> None:
    """He has seen a task begin before it is let go on."""
    seen = lab.home / "seen"

    def child(controller: Controller) -> None:
        meet("spawn", Direction.EXECUTE, lambda: until(seen.exists), after=False)
        operation = controller.create(labs.request())
        until(lambda: controller._news.has_all(operation.id))
        for event in controller.watch(operation.id):
            if (event.task, event.state) == ("spawn", "RUNNING"):
                seen.touch()
        print(controller.operation(operation.id).state)

    assert lab.child(child).output.split() == ["done"]


def test_who_has_it_seen_through_is_told_although_another_process_runs_it(lab: Lab) -> None:
    def runs(controller: Controller) -> None:
        assert controller.wait(controller.create(labs.request()).id).state == "done"

    other = replace(lab, latency="0.1").fork(runs)
    until(lambda: lab.rows("SELECT id FROM vmwright_operations WHERE state = 'running'"))

    def waits(controller: Controller) -> None:
        (operation,) = controller.resume()
        print(controller.wait(operation.id).state)

    assert lab.child(waits).output.split() == ["done"]
    assert lab.reap(other).status == 0


def test_closing_a_controller_ends_every_wait(lab: Lab) -> None:
    def child(controller: Controller) -> None:
        operation = controller.create(labs.request())
        ended: list[object] = []

        def wait() -> None:
            try:
                ended.append(controller.wait(operation.id))
            except Conflict as error:
                ended.append(error.message)

        thread = threading.Thread(target=wait)
        thread.start()
        until(lambda: lab.rows("SELECT seq FROM vmwright_events WHERE task = 'spawn'"))
        controller.close()
        thread.join()
        (told,) = ended
        assert "controller was closed" in str(told), told

    ended = replace(lab, latency="ensure_running:5").child(child)
    assert ended.status == 0, ended.output


@pytest.fixture
def ringing() -> Iterator[tuple[News, threading.Event]]:
    news = News()
    with news.bell(OperationId("mine"), every_event=False) as bell:
        yield news, bell
    assert news._bells == {}, "nothing is kept for those who are gone"


def test_bell_rings_for_its_operation_alone(ringing: tuple[News, threading.Event]) -> None:
    news, bell = ringing
    with news.bell(OperationId("mine"), every_event=True) as another:
        news.ended(OperationId("other"))
        news.committed(OperationId("other"))
        assert not another.is_set()
        news.committed(OperationId("mine"))
        assert another.is_set()
        assert not bell.is_set(), "it waits for the end"
        another.clear()
        news.ended(OperationId("mine"))
        assert bell.is_set()
        assert another.is_set()
    bell.clear()
    news.no_more()
    assert bell.is_set()


def test_news_come_of_nobody_before_somebody_says_so(ringing: tuple[News, object]) -> None:
    assert not ringing[0].has_end(OperationId("mine"))
    assert not ringing[0].has_all(OperationId("mine"))
