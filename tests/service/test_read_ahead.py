"""What a service asks the store for an operation that waits there: nothing of its own."""

import threading
from collections import Counter

import pytest
import sqlalchemy as sa

from tests.support import lab as labs
from tests.support.lab import Lab
from vmwright.controller import Controller
from vmwright.states import ENDED, OperationState

MANY = 40


def test_operations_of_a_page_are_read_together(lab: Lab) -> None:
    with Controller(lab.settings) as controller:
        waiting = [submitted(controller, number) for number in range(MANY)]
        read, stop = selected(controller), threading.Event()
        service = threading.Thread(target=controller.serve_until, args=[stop])
        service.start()
        ended = [controller.wait(operation, timeout=120).state for operation in waiting]
        stop.set()
        service.join()
    assert set(ended) <= ENDED
    # But for those that found room before more was read, each of which was read alone.
    assert 0 < read["atomdetails"] <= MANY // 2
    assert read["vmwright_owners"] <= MANY // 2


@pytest.mark.parametrize("state", [OperationState.QUEUED, OperationState.INTERRUPTED])
def test_all_that_somebody_wants_are_read_together(lab: Lab, state: OperationState) -> None:
    with Controller(lab.settings) as controller:
        waiting = [submitted(controller, number) for number in range(MANY)]
        with controller._database.write() as connection:
            for operation in waiting:
                controller._stores.operations.change(connection, operation, state=state)
        read = selected(controller)
        assert {known.id for known in controller.resume()} == set(waiting)
        ended = [controller.wait(operation, timeout=120).state for operation in waiting]
    assert set(ended) <= ENDED
    assert 0 < read["atomdetails"] <= MANY // 2


def submitted(controller: Controller, number: int) -> str:
    return controller.submit(labs.request(name=f"vm{number}")).id


def selected(controller: Controller) -> Counter[str]:
    """Which tables are read from now on, in any thread, and how often."""
    tables: Counter[str] = Counter()

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT"):
            table = statement.partition("FROM ")[2].split(maxsplit=1)
            tables[table[0] if table else ""] += 1

    for engine in {controller._database.writer, controller._database.reader}:
        sa.event.listen(engine, "before_cursor_execute", count)
    return tables
