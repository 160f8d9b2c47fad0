"""A run whose tasks end in ways that are not for tasks, or that has no thread for them, comes to a
state from which it goes on."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from taskflow import states as taskflow_states

from tests.support.eventful_flows import EXECUTE, EventfulFlow, Part, Step, World
from tests.support.no_threads import no_more_threads
from tests.support.two_engines import Ground
from vmwright.persistence.stores import Stores
from vmwright.pools import Places, Pools
from vmwright.runner import Outcome

PATIENCE = 60


@pytest.fixture
def ground(stores: Stores) -> Iterator[Ground]:
    pools = _Watched(parallel=1, tasks_per_host=2)
    yield Ground(stores, pools)
    pools.close()


class _Futures(Places):
    """Places that say when the engine calls off what may still be called off."""

    def __init__(self, size: int, name: str) -> None:
        super().__init__(size, name)
        self.called_off = threading.Event()

    def submit(self, call: Callable[..., Any], *arguments: object) -> Any:
        future = super().submit(call, *arguments)
        cancel = future.cancel

        def heard() -> bool:
            self.called_off.set()
            return cancel()

        future.cancel = heard  # type: ignore[method-assign]
        return future


class _Watched(Pools):
    """Pools of one such."""

    def of(self, host: str | None) -> Places:
        return self._tasks.setdefault(host, _Futures(self._per_host, "watched"))


def side_by_side(kind: str) -> EventfulFlow:
    """Two tasks that begin together; the first is of this kind."""
    steps = tuple(
        Step(name, of_kind, (), (), None, "never", priority)
        for name, of_kind, priority in (("first", kind, 2), ("second", "plain", 1))
    )
    return EventfulFlow(Part("whole", "unordered", steps, (), None), frozenset(), {})


@dataclass
class Raising(World):
    """Where the first task, or its intent if it has one, raises something that often."""

    error: BaseException = field(default_factory=KeyboardInterrupt)
    times: int = 1

    def intend(self, name: str) -> None:
        self._raise(name)

    def call(self, name: str, way: str, given: tuple[Any, ...], *, atomic: bool) -> None:
        self._raise(name)
        super().call(name, way, given, atomic=atomic)

    def _raise(self, name: str) -> None:
        if name == "first" and self.times:
            self.times -= 1
            raise self.error


@pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit(), BaseException("odd")], ids=repr)
@pytest.mark.parametrize("kind", ["plain", "intending", "looking", "in store"])
def test_task_that_raises_whatever_has_failed(
    ground: Ground, kind: str, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    # An intent is tried with those of others, and then alone.
    flow, world = side_by_side(kind), Raising(error=error, times=1 + (kind == "intending"))
    operation = ground.submit(flow)
    assert ground.go_on(operation, flow, world) is Outcome.UNDONE
    assert ground.end_of(operation, world).state == taskflow_states.REVERTED
    assert world.effects == set()
    (told,) = [record for record in caplog.records if "first is broken" in record.getMessage()]
    assert told.exc_info is not None
    assert told.exc_info[1] is error


def test_removal_that_raises_whatever_goes_on_with_the_run(ground: Ground) -> None:
    flow, world = side_by_side("removing"), Raising(error=SystemExit(3))
    operation = ground.submit(flow)
    assert ground.go_on(operation, flow, world) is Outcome.BLOCKED
    assert ground.go_on(operation, flow, world) is Outcome.DONE


@pytest.mark.parametrize("kind", ["plain", "intending", "looking", "in store", "removing"])
def test_task_that_is_interrupted_has_not_failed(ground: Ground, kind: str) -> None:
    flow, world = side_by_side(kind), Raising()
    operation = ground.submit(flow)
    with pytest.raises(KeyboardInterrupt):
        ground.go_on(operation, flow, world)
    assert ground.go_on(operation, flow, world) is Outcome.DONE


@dataclass
class Interrupted(World):
    """Where the first task interrupts the run, and the second one is under way until the engine
    has heard of it, or has left."""

    heard: threading.Event = field(default_factory=threading.Event)
    second_began: threading.Event = field(default_factory=threading.Event)
    second_ended: threading.Event = field(default_factory=threading.Event)
    has_left: bool = False
    was_left: bool | None = None

    def call(self, name: str, way: str, given: tuple[Any, ...], *, atomic: bool) -> None:
        if name == "first":
            assert self.second_began.wait(PATIENCE)
            raise KeyboardInterrupt
        self.second_began.set()
        assert self.heard.wait(PATIENCE)
        self.was_left = self.has_left
        super().call(name, way, given, atomic=atomic)
        self.second_ended.set()


def test_run_that_is_interrupted_waits_for_what_is_under_way_and_can_go_on(ground: Ground) -> None:
    places = ground.pools.of(None)
    assert isinstance(places, _Futures)
    flow, world = side_by_side("plain"), Interrupted(heard=places.called_off)
    operation = ground.submit(flow)
    try:
        with pytest.raises(KeyboardInterrupt):
            ground.go_on(operation, flow, world)
    finally:
        world.has_left = True
        world.heard.set()
    assert world.second_ended.wait(PATIENCE)
    assert world.was_left is False
    goes_on = World()
    assert ground.go_on(operation, flow, goes_on) is Outcome.DONE
    assert goes_on.effects == {"first", "second"}


def test_tasks_for_which_there_is_no_thread_are_begun_by_the_run_that_goes_on(
    ground: Ground,
) -> None:
    places, free, at_work = ground.pools.of(None), threading.Event(), threading.Event()
    flow, world = side_by_side("plain"), World()
    operation = ground.submit(flow)
    busy = places.submit(lambda: (at_work.set(), free.wait(PATIENCE)))
    assert at_work.wait(PATIENCE)
    with no_more_threads():
        assert ground.go_on(operation, flow, world) is Outcome.STOPPED
    free.set()
    busy.result(PATIENCE)
    assert ground.go_on(operation, flow, world) is Outcome.DONE
    assert sorted(world.calls) == [("first", EXECUTE, ()), ("second", EXECUTE, ())]
