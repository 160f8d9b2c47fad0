"""TaskFlow's rows, as we write and read them."""

import pytest
import sqlalchemy as sa
from taskflow import retry
from taskflow import states as taskflow_states
from taskflow.persistence import models
from taskflow.persistence.backends import impl_sqlalchemy
from taskflow.types.failure import Failure

from tests.support.rows import new_flow_rows, tasks_named
from vmwright.errors import Cancelled, HostFault, Internal, Refused, Unavailable
from vmwright.ids import new_id
from vmwright.persistence.logbook import load_flow, outcome_of
from vmwright.states import AttemptOutcome


def failed(error: Exception) -> Failure:
    try:
        raise error
    except type(error):
        return Failure()


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (HostFault("no room"), AttemptOutcome.FAILED),
        (Unavailable("no answer"), AttemptOutcome.FAILED),
        (Refused("no"), AttemptOutcome.REFUSED),
        (Internal("a defect"), AttemptOutcome.REFUSED),
        (Cancelled("enough"), AttemptOutcome.CANCELLED),
    ],
)
def test_failure_tells_what_it_makes_of_an_attempt_also_when_read_back(error, outcome):
    failure = failed(error)
    assert outcome_of(failure) is outcome
    assert outcome_of(Failure.from_dict(failure.to_dict())) is outcome


def test_retry_is_stored_beside_the_tasks_and_begins_without_a_history(stores):
    detail = new_id()
    atoms = [*tasks_named("task"), retry.AlwaysRevertAll("retry")]
    with stores.database.write() as connection:
        new_flow_rows(connection, stores, flow_name="create", detail_id=detail, atoms=atoms)
        kinds = {atom.name: type(atom) for atom in load_flow(connection, stores, detail)}
        histories = [
            atom.results for atom in load_flow(connection, stores, detail) if atom.name == "retry"
        ]
    assert kinds == {"task": models.TaskDetail, "retry": models.RetryDetail}
    assert histories == [[]]


def test_run_that_has_not_begun_is_in_memory_what_is_read_of_it(stores):
    atoms = [*tasks_named("task", "other"), retry.AlwaysRevertAll("retry")]
    with stores.database.write() as connection:
        run = new_flow_rows(connection, stores, flow_name="create", detail_id=new_id(), atoms=atoms)
        stored = load_flow(connection, stores, run.detail_id)
    known = run.detail()
    assert known.to_dict() == stored.to_dict()
    assert described(known) == described(stored)
    assert len(described(known)) == 3


def described(flow) -> dict:
    return {atom.name: (type(atom), atom.to_dict()) for atom in flow}


def saved_retry(stores) -> str:
    """A retry with two failed attempts behind it, written by TaskFlow itself."""
    retry = models.RetryDetail("retry", new_id())
    retry.results = [
        ({"attempt": 1}, {"claim": failed(Refused("full")), "plug": failed(Refused("away"))}),
        ({"attempt": 2}, {"claim": failed(Refused("still full"))}),
        ({"attempt": 3}, {}),
    ]
    retry.state, retry.intention = taskflow_states.SUCCESS, taskflow_states.EXECUTE
    flow, book = models.FlowDetail("flow", new_id()), models.LogBook("book")
    flow.add(retry)
    book.add(flow)
    url = stores.database.writer.url.render_as_string(hide_password=False)
    backend = impl_sqlalchemy.SQLAlchemyBackend({"connection": url}, engine=stores.database.writer)
    backend.get_connection().save_logbook(book)
    return str(flow.uuid)


def test_retry_keeps_its_value_and_its_failures_over_a_restart(stores):
    detail = saved_retry(stores)
    with stores.database.read() as connection:
        (retry,) = load_flow(connection, stores, detail)
    assert [value for value, _ in retry.results] == [{"attempt": n} for n in (1, 2, 3)]
    assert [sorted(failures) for _, failures in retry.results] == [["claim", "plug"], ["claim"], []]
    assert retry.results[0][1]["plug"].exception_str == "away"
    assert retry.last_results == {"attempt": 3}


def test_taskflow_still_loses_the_value_of_a_retry(stores):
    """Once this fails, our own decoding of retries can go."""
    detail = saved_retry(stores)
    table = stores.database.schema.logbook.atomdetails
    with stores.database.read() as connection:
        row = connection.execute(sa.select(table).where(table.c.parent_uuid == detail)).one()
    decoded = models.RetryDetail.from_dict(dict(row._mapping))
    assert decoded.results[0][0] != {"attempt": 1}
