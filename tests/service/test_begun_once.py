"""What is accepted here is run once here, whoever comes to it first."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.service.test_several import wish
from tests.support.attempts import until
from tests.support.breaking import around_task, meet
from tests.support.lab import Lab
from tests.support.no_threads import no_more_threads
from vmwright.ahead import Ahead
from vmwright.controller import Controller
from vmwright.errors import ClaimLost
from vmwright.persistence.records import Operation
from vmwright.states import Direction
from vmwright.tasks.task import Task


@contextmanager
def serving(controller: Controller) -> Iterator[None]:
    stop, up = threading.Event(), threading.Event()
    thread = threading.Thread(
        target=controller.serve_until, args=(stop, lambda _: up.set()), kwargs={"upkeep": False}
    )
    thread.start()
    up.wait()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_build_that_was_found_in_the_store_before_it_is_begun_at_once_runs_once(lab: Lab) -> None:
    """As where a service looks for work just as somebody hands some in."""
    begun: list[int] = []
    goes_on = threading.Event()

    def arrive() -> None:
        begun.append(1)
        goes_on.wait()

    def child(controller: Controller) -> None:
        meet("check_image_size", Direction.EXECUTE, arrive, after=False, writes=False)
        with serving(controller):
            answers = controller._door.accept([wish()], ask_hosts=True)
            (operation,) = answers.reservations[0].operations
            controller._shop.worker.nudge()
            until(lambda: bool(begun))
            controller._shop.worker.see_through([operation.id], answers.builds)
            goes_on.set()
            print(controller.wait(operation.id).state)
            until(lambda: not controller._shop.worker._dispatcher.running())
            print(len(begun))

    ended = lab.child(child)
    assert ended.output.split() == ["done", "1"], ended.output


def test_what_was_read_of_a_build_before_it_ran_here_is_not_run_again(lab: Lab) -> None:
    """The store calls it ours, in the very epoch that its first claim gives."""

    def child(controller: Controller) -> None:
        put_down = iter([ClaimLost("as if its lease had run out")])

        def around(execute: Callable[..., Any]) -> Callable[..., Any]:
            def run(self: Task, **arguments: Any) -> Any:
                for error in put_down:
                    raise error
                return execute(self, **arguments)

            return run

        around_task("check_image_size", Direction.EXECUTE, around)
        answers = controller._door.accept([wish()], ask_hosts=True)
        (known,) = answers.reservations[0].operations
        worker, ahead = controller._shop.worker, Ahead(controller._stores)
        dispatcher = worker._dispatcher
        ahead.fill([known])
        worker.see_through([], answers.builds)
        until(lambda: not dispatcher.running())
        print(dispatcher._begin(known, ahead))
        worker.see_through([], answers.builds)
        print(dispatcher.running(), list(put_down))
        controller.resume()
        print(controller.wait(known.id).state)

    ended = lab.child(child)
    assert ended.output.split() == ["False", "0", "[]", "done"], ended.output


def test_build_for_which_there_was_no_thread_runs_once_when_there_is_one(lab: Lab) -> None:
    begun: list[str] = []
    goes_on: defaultdict[str, threading.Event] = defaultdict(threading.Event)

    def around(execute: Callable[..., Any]) -> Callable[..., Any]:
        def run(self: Task, **arguments: Any) -> Any:
            instance = arguments["run"].instance
            begun.append(instance)
            goes_on[instance].wait()
            return execute(self, **arguments)

        return run

    def child(controller: Controller) -> None:
        def end(operation: Operation) -> None:
            goes_on[operation.instance_id].set()
            print(controller.wait(operation.id).state)

        around_task("check_image_size", Direction.EXECUTE, around)
        first = controller.create(wish(name="first"))
        until(lambda: first.instance_id in begun)
        with no_more_threads():
            second = controller.create(wish(name="second"))
            print(begun.count(second.instance_id))
        until(lambda: second.instance_id in begun)
        end(first)
        # By the thread of the first, which comes to all that was handed in before.
        end(controller.create(wish(name="third")))
        end(second)
        print(begun.count(second.instance_id))

    ended = lab.child(child)
    assert ended.output.split() == ["0", "done", "done", "done", "1"], ended.output
