"""Operations are found by what is known of them, a window of the history at a time."""

import pytest
import sqlalchemy as sa

from tests.support.rows import a_host, an_instance, an_operation
from vmwright.ids import HostId, OperationId
from vmwright.persistence.searching import Search, Wanted
from vmwright.persistence.stores import Stores
from vmwright.states import ENDED, OperationState, VmState

NAMES = ("Web-1", "web_2", "db%1", "WEB-3")


@pytest.fixture
def search(stores: Stores) -> Search:
    """With a window of three operations."""
    return Search(stores.database.schema, stores.lists, stores.operations, window=3)


@pytest.fixture
def known(stores: Stores) -> dict[str, OperationId]:
    """An operation for each name, in this order: done and running in turn."""
    with stores.database.write() as connection:
        return {
            name: stored(
                stores,
                connection,
                name,
                OperationState.DONE if number % 2 else OperationState.RUNNING,
            )
            for number, name in enumerate(NAMES)
        }


def stored(
    stores: Stores, connection: sa.Connection, name: str, state: OperationState
) -> OperationId:
    instance = an_instance(name=name, project_id="ours", vm_state=VmState.ACTIVE)
    stores.instances.add(connection, instance)
    operation = an_operation(instance.id, project_id="ours", state=state)
    stores.operations.add(connection, operation)
    return operation.id


def found(
    stores: Stores, search: Search, known: dict[str, OperationId], limit: int = 10, **wanted: object
) -> list[list[str]]:
    """The names on each page, from the newest page on."""
    names = {operation: name for name, operation in known.items()}
    pages: list[list[str]] = []
    before: int | None = None
    with stores.database.read() as connection:
        while True:
            page = search.operations(connection, Wanted(**wanted), before=before, limit=limit)
            pages.append([names[one.id] for one in page.operations])
            if page.before is None:
                return pages
            before = stores.operations.get(connection, page.before).seq


def test_texts_are_parts_of_names_whatever_their_case(
    stores: Stores, search: Search, known: dict[str, OperationId]
) -> None:
    assert found(stores, search, known, text="wEb") == [["web_2", "WEB-3"], ["Web-1"]]
    # What is a pattern to a database is a character to users.
    assert found(stores, search, known, text="%") == [["db%1"], []]
    assert found(stores, search, known, text="_") == [["web_2"], []]
    assert found(stores, search, known, text=known["Web-1"]) == [[], ["Web-1"]]


def test_pages_lead_to_the_end(
    stores: Stores, search: Search, known: dict[str, OperationId]
) -> None:
    assert found(stores, search, known, limit=2) == [["db%1", "WEB-3"], ["Web-1", "web_2"]]
    assert found(stores, search, known, limit=1, text="web") == [
        *(["WEB-3"], ["web_2"]),
        ["Web-1"],
    ]
    assert found(stores, search, known, kind="create", states=ENDED) == [["web_2", "WEB-3"]]
    assert found(stores, search, known, kind="delete") == [[], []]
    assert found(stores, search, known, project="theirs") == [[]]
    assert found(stores, search, known, project="ours", text="db") == [["db%1"], []]


def test_hosts_are_those_of_the_latest_attempt(
    stores: Stores, search: Search, known: dict[str, OperationId]
) -> None:
    first, second = a_host(name="first"), a_host(name="second", connection_uri="simulated:///2")
    with stores.database.write() as connection:
        for host in (first, second):
            stores.registries.hosts.add(connection, host)
        for name, tried in (("WEB-3", [first, second]), ("db%1", [first])):
            for number, host in enumerate(tried, 1):
                connection.execute(
                    sa.insert(stores.database.schema.attempts).values(
                        operation_id=known[name], number=number, host_id=host.id
                    )
                )
            stores.operations.change(connection, known[name], attempt=len(tried))
    assert found(stores, search, known, host=first.id) == [["db%1"], []]
    assert found(stores, search, known, host=second.id) == [["WEB-3"], []]
    assert found(stores, search, known, host=HostId("nowhere")) == [[], []]


def test_all_that_has_not_ended_is_counted(
    stores: Stores, search: Search, known: dict[str, OperationId]
) -> None:
    with stores.database.read() as connection:
        for project in (None, "ours"):
            counts = search.counts(connection, project)
            assert (counts[OperationState.DONE], counts[OperationState.RUNNING]) == (2, 2)
        assert sum(search.counts(connection, "theirs").values()) == 0
