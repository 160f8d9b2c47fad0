"""The runner comes to what TaskFlow's own engine comes to, in the same steps, whatever the flow.

Three things are otherwise on purpose. A run of which only a part was taken back, as after a retry
that answers `REVERT`, is REVERTED to TaskFlow and SUSPENDED to us. A removal that fails suspends a
run, which goes on with it; to TaskFlow it is the end. A run that TaskFlow's engine stands still in,
and leaves RUNNING, is put down as SUSPENDED. Order is that of one thread: with more of
them, TaskFlow's own outcomes depend on what ends first. Of what ends together, TaskFlow looks at
failures first here: it has no order of its own, and that is ours.
"""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from taskflow import states as taskflow_states
from taskflow.persistence import models

from tests.support.eventful_flows import (
    DIE_AFTER,
    DIE_BEFORE,
    EXECUTE,
    STOP,
    Again,
    EventfulFlow,
    Part,
    Step,
    World,
    eventful_flows,
)
from tests.support.two_engines import (
    STANDS_STILL,
    End,
    Ground,
    InOrder,
    known,
    on_taskflow,
    seen_through,
)
from vmwright.persistence.stores import Stores
from vmwright.pools import Pools
from vmwright.runner import Outcome

_FEW = settings(
    deadline=None,
    database=None,
    derandomize=True,
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
_MANY = settings(_FEW, max_examples=400)
_FEW_ON_SQL = settings(_FEW, max_examples=5)
"""TaskFlow commits each thing that it writes."""
_MANY_ON_SQL = settings(_FEW, max_examples=100)

_LEFT_NOTHING = {taskflow_states.PENDING, taskflow_states.REVERTED}
_INTERRUPTIONS = st.sampled_from([STOP, DIE_BEFORE, DIE_AFTER])


def _step(name: str, kind: str, fails: str, attempts: tuple[str, ...], priority: int) -> Step:
    return Step(name, kind, (), attempts, None, fails, priority)


_AGAIN = Again("again", "ours", 2, 9)
FOLLOWER_OF_A_SUCCESS_BESIDE_A_FAILURE = EventfulFlow(
    Part(
        "whole",
        "unordered",
        (
            Part(
                "part",
                "linear",
                (_step("follower", "plain", "never", (_AGAIN.value,), 1),),
                (),
                _AGAIN,
            ),
            _step("failing", "in store", "always", (), 8),
            _step("last", "in store", "never", (), 7),
        ),
        (),
        None,
    ),
    frozenset(),
    {},
)
"""The retry succeeds beside `failing`, and `follower` would be next. If it were undone though it
never began, an interrupted run could not go on: what it is given is gone with the retry."""


@pytest.fixture(scope="module")
def ground(stores: Stores) -> Iterator[Ground]:
    """Where tasks that begin together end in their order."""
    pools = InOrder(parallel=1, tasks_per_host=1)
    yield Ground(stores, pools)
    pools.close()


@pytest.fixture(scope="module")
def busy_ground(stores: Stores) -> Iterator[Ground]:
    """Where tasks that begin together are carried out by several threads."""
    pools = Pools(parallel=1, tasks_per_host=3)
    yield Ground(stores, pools)
    pools.close()


def same_steps(ground: Ground, flow: EventfulFlow) -> None:
    theirs, world = on_taskflow(flow), World()
    operation = ground.submit(flow)
    outcome = ground.go_on(operation, flow, world)
    ours = ground.end_of(operation, world)
    assert ours.atoms == theirs.atoms
    assert world.calls == theirs.world.calls
    assert world.effects == theirs.world.effects
    assert (ours.state, outcome) == _ours(theirs)
    assert_order(flow, world)


def _ours(theirs: End) -> tuple[str, Outcome]:
    if theirs.state == taskflow_states.SUCCESS:
        return taskflow_states.SUCCESS, Outcome.DONE
    if theirs.state == taskflow_states.REVERTED and states_of(theirs) <= _LEFT_NOTHING:
        return taskflow_states.REVERTED, Outcome.UNDONE
    assert theirs.state in (taskflow_states.REVERTED, STANDS_STILL)
    return taskflow_states.SUSPENDED, Outcome.STOPPED


def states_of(end: End) -> set[str]:
    return {state for state, *_ in end.atoms.values()}


def assert_order(flow: EventfulFlow, world: World) -> None:
    """Each task ran on what those before it had left, and was undone before they were."""
    before = {name: set() for name in flow.steps}
    after = {name: set() for name in flow.steps}
    for one, other in flow.precedence:
        before[other].add(one)
        after[one].add(other)
    there: set[str] = set()
    for name, way, _ in world.calls:
        if way == EXECUTE:
            assert before[name] <= there, f"{name} ran before what it depends on"
            there.add(name)
        else:
            assert not after[name] & there, f"{name} was undone before what depends on it"
            there.discard(name)


@given(eventful_flows())
@_FEW
def test_run_takes_the_steps_that_taskflow_takes(ground, flow):
    """Results, failures, histories of retries, states, intentions, calls and their arguments."""
    same_steps(ground, flow)


@pytest.mark.slow
@given(eventful_flows())
@_MANY
def test_run_of_any_of_many_flows_takes_the_steps_that_taskflow_takes(ground, flow):
    same_steps(ground, flow)


def same_end(ground: Ground, flow: EventfulFlow, call: int, how: str) -> None:
    """A run that is interrupted in that call, and whose removals stumble, comes to the end of one
    of which neither is true."""
    theirs = on_taskflow(flow)
    world = World(
        stumbles=dict(flow.stumbles),
        interrupt_at=call % max(1, len(theirs.world.calls)),
        interrupt=how,
    )
    operation, outcome = ground.see_through(flow, world)
    ours = ground.end_of(operation, world)
    assert (ours.state, outcome) == _ours(theirs)
    assert_order(flow, world)
    if outcome is Outcome.DONE:
        assert ours.atoms == theirs.atoms
        assert world.effects == theirs.world.effects == set(flow.steps)
    else:
        # How far others came beside what failed, an interruption may change.
        assert states_of(ours) <= _LEFT_NOTHING
        assert world.effects == theirs.world.effects == set()


@pytest.mark.parametrize("how", [STOP, DIE_BEFORE])
@pytest.mark.parametrize("call", range(3))
def test_what_follows_a_success_beside_a_failure_is_neither_begun_nor_undone(ground, call, how):
    same_end(ground, FOLLOWER_OF_A_SUCCESS_BESIDE_A_FAILURE, call, how)


_INTERRUPTED = (eventful_flows(stumbling=True, partly=False), st.integers(0, 40), _INTERRUPTIONS)


@given(*_INTERRUPTED)
@_FEW
def test_interrupted_run_comes_to_the_end_of_one_that_is_not(ground, flow, call, how):
    same_end(ground, flow, call, how)


@pytest.mark.slow
@given(*_INTERRUPTED)
@_MANY
def test_interrupted_run_of_any_of_many_flows_comes_to_the_same_end(ground, flow, call, how):
    same_end(ground, flow, call, how)


def taskflow_goes_on(ground: Ground, flow: EventfulFlow, call: int, how: str) -> None:
    """What we have stored of a run is read by TaskFlow as by us, and it comes to its end."""
    theirs = on_taskflow(flow)
    world = World(interrupt_at=call % max(1, len(theirs.world.calls)), interrupt=how)
    operation = ground.submit(flow)
    ground.goes_on(operation, flow, world)
    ours, world.dead = ground.stored(operation), False
    read = ground.backend().get_connection().get_flow_details(ours.uuid)
    mend_histories(read, ours)
    assert (read.state, known(read)) == (ours.state, known(ours))
    end = seen_through(flow, read, world, ground.backend())
    stored = ground.end_of(operation, world)
    assert (stored.state, stored.atoms) == (end.state, end.atoms)
    assert end.state == theirs.state
    assert world.effects == theirs.world.effects
    if end.state == taskflow_states.SUCCESS:
        assert end.atoms == theirs.atoms


def mend_histories(read: models.FlowDetail, ours: models.FlowDetail) -> None:
    """TaskFlow loses the values of retries that have failures: `tests/persistence/test_logbook.py`
    holds that against it."""
    for atom in read:
        if isinstance(atom, models.RetryDetail):
            atom.results = ours.find(atom.uuid).results


_STORED = (eventful_flows(partly=False), st.integers(0, 40), _INTERRUPTIONS)


@given(*_STORED)
@_FEW_ON_SQL
def test_taskflow_goes_on_with_what_we_have_stored(ground, flow, call, how):
    taskflow_goes_on(ground, flow, call, how)


@pytest.mark.slow
@given(*_STORED)
@_MANY_ON_SQL
def test_taskflow_goes_on_with_any_of_many_runs(ground, flow, call, how):
    taskflow_goes_on(ground, flow, call, how)


def lawful(ground: Ground, flow: EventfulFlow) -> None:
    """What holds whatever ends first: an order, and an end that is true."""
    world = World(stumbles=dict(flow.stumbles))
    operation, outcome = ground.see_through(flow, world)
    ours = ground.end_of(operation, world)
    assert_order(flow, world)
    if outcome is Outcome.DONE:
        assert ours.state == taskflow_states.SUCCESS
        assert states_of(ours) == {taskflow_states.SUCCESS}
        assert world.effects == set(flow.steps)
    else:
        assert (ours.state, outcome) == (taskflow_states.REVERTED, Outcome.UNDONE)
        assert states_of(ours) <= _LEFT_NOTHING
        assert world.effects == set()


@given(eventful_flows(stumbling=True, partly=False))
@_FEW
def test_run_on_several_threads_keeps_order_and_ends_true(busy_ground, flow):
    lawful(busy_ground, flow)


@pytest.mark.slow
@given(eventful_flows(stumbling=True, partly=False))
@_MANY
def test_run_of_any_of_many_flows_on_several_threads_ends_true(busy_ground, flow):
    lawful(busy_ground, flow)
