"""What is used of TaskFlow beyond its public interface is there, and means what we take it for."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from taskflow import exceptions, states
from taskflow.patterns import linear_flow, unordered_flow
from taskflow.persistence import models

import vmwright
from tests.support.random_flows import UNHURRIED, random_flows
from tests.support.sample_graphs import Sample
from vmwright.ids import new_id
from vmwright.runner import taskflow_internals as internals
from vmwright.runner.compiled import INPUTS, CompiledFlow
from vmwright.runner.readiness import Readiness
from vmwright.runner.run_state import RunRuntime, RunStorage

PACKAGE = Path(vmwright.__file__).parent
INTERNAL = re.compile(r"taskflow\.(engines\.\w+|storage|utils)|taskflow import storage")

INTENTIONS = (states.EXECUTE, states.REVERT, states.RETRY, states.IGNORE)


class Unwritten:
    """Stands where a run's changes go."""

    def __init__(self, detail: models.FlowDetail) -> None:
        self.atoms = {atom.name: atom for atom in detail}
        self.uuids = {atom.name: atom.uuid for atom in detail}

    def changed(self, name: str, atom: Any) -> None:
        """It is written nowhere."""


def details_of(compiled: CompiledFlow) -> models.FlowDetail:
    detail = models.FlowDetail(compiled.flow.name, new_id())
    for known in compiled.atoms:
        atom = models.TaskDetail(known.name, new_id())
        atom.state = states.PENDING
        detail.add(atom)
    return detail


def run_of(compiled: CompiledFlow, detail: models.FlowDetail) -> tuple[RunStorage, RunRuntime]:
    storage = RunStorage(detail, Unwritten(detail), compiled, dict.fromkeys(INPUTS, "given"))
    return storage, RunRuntime(compiled, storage, executor=None)


def stock_engine(flow: Any) -> Any:
    engine = internals.SerialActionEngine(flow, models.FlowDetail(flow.name, new_id()), None, {})
    engine.compile()
    engine.storage.inject(dict.fromkeys(INPUTS, "given"), transient=True)
    engine.prepare()
    return engine


@pytest.fixture
def stock() -> dict[type, object]:
    """One of each of TaskFlow's own."""
    engine = stock_engine(linear_flow.Flow("flow").add(Sample("task")))
    runtime = engine._runtime
    return {
        internals.SerialActionEngine: engine,
        internals.Runtime: runtime,
        internals.TaskAction: runtime.task_action,
        internals.Storage: engine.storage,
    }


@pytest.mark.parametrize("kind", internals.ATTRIBUTES)
def test_instances_hold_what_we_rely_on(stock, kind):
    assert internals.ATTRIBUTES[kind] <= vars(stock[kind]).keys()


@pytest.mark.parametrize("kind", internals.METHODS)
def test_methods_that_we_call_or_replace_are_there(kind):
    assert {name for name in internals.METHODS[kind] if not callable(getattr(kind, name))} == set()


def test_storage_of_a_run_holds_all_that_taskflow_expects_of_one(stock):
    compiled = CompiledFlow(linear_flow.Flow("flow").add(Sample("task")))
    storage, _ = run_of(compiled, details_of(compiled))
    assert vars(stock[internals.Storage]).keys() <= vars(storage).keys()


def test_internals_are_imported_in_one_place_only():
    elsewhere = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if INTERNAL.search(path.read_text())
    }
    assert elsewhere == {"runner/taskflow_internals.py"}


@settings(UNHURRIED, max_examples=40)
@given(random_flows(), st.data())
def test_what_may_begin_is_what_taskflow_would_begin(example, data):
    compiled = CompiledFlow(example.flow)
    detail = details_of(compiled)
    for atom in detail:
        atom.state = data.draw(
            st.sampled_from(internals.ATOM_STATES), label=f"state of {atom.name}"
        )
        atom.intention = data.draw(st.sampled_from(INTENTIONS), label=f"meant with {atom.name}")
    storage, runtime = run_of(compiled, detail)
    ready = Readiness(compiled, storage)
    assert set(ready.anywhere()) == _chosen(runtime, None)
    for atom in compiled.atoms:
        assert set(ready.after(atom)) == _chosen(runtime, atom), atom.name


def _chosen(runtime: Any, atom: Any) -> set[Any]:
    return {chosen for chosen, _ in runtime.selector.iter_next_atoms(atom=atom)}


@settings(UNHURRIED, max_examples=40)
@given(random_flows())
def test_arguments_are_those_that_taskflow_would_hand_over(example):
    compiled, stock = CompiledFlow(example.flow), stock_engine(example.flow)
    storage, _ = run_of(compiled, details_of(compiled))
    for atom in compiled.atoms:
        # What is before it has ended, and nothing else.
        for name in compiled.places[atom.name].before:
            for kept in (storage, stock.storage):
                kept.save(name, (f"result of {name}",), states.SUCCESS)
        found = storage.fetch_mapped_args(atom.rebind, atom.name, optional_args=atom.optional)
        expected = stock.storage.fetch_mapped_args(
            atom.rebind, atom_name=atom.name, optional_args=atom.optional
        )
        assert found == expected, atom.name


def test_name_that_two_tasks_give_is_looked_up_as_taskflow_does():
    flow = linear_flow.Flow("flow").add(
        unordered_flow.Flow("both").add(Sample("one", provides="x"), Sample("other", provides="x")),
        Sample("last", requires="x"),
    )
    compiled, stock = CompiledFlow(flow), stock_engine(flow)
    storage, _ = run_of(compiled, details_of(compiled))
    assert "x" not in compiled.places["last"].givers
    for kept in (storage, stock.storage):
        for name in ("one", "other"):
            kept.save(name, (f"of {name}",), states.SUCCESS)
    last = compiled.atoms[-1]
    assert last.name == "last"
    assert storage.fetch_mapped_args(last.rebind, "last") == stock.storage.fetch_mapped_args(
        last.rebind, atom_name="last"
    )


def test_flow_that_lacks_an_input_is_refused_when_it_is_compiled():
    with pytest.raises(exceptions.MissingDependencies):
        CompiledFlow(linear_flow.Flow("flow").add(Sample("task", requires="nothing")))
