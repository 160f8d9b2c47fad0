"""How often a server is asked for one transaction, counted on the wire."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import sqlalchemy as sa

from tests.support.dialects import SERVERS
from tests.support.proxy import Proxy, proxied
from vmwright.persistence import pinging
from vmwright.persistence.database import Database

pytestmark = pytest.mark.parametrize("dialect", SERVERS, indirect=True)

OWN = {"postgresql": 3, "mysql": 4}
"""Where one statement is all that a transaction does. Both are told to commit; PostgreSQL to begin
before that; MariaDB is asked whether it is there, and told at the end to forget what is left."""


def asked_for_one_statement(ready, patience: Callable[[], None]) -> tuple[str, int]:
    """By a connection that was used before; and which server it was."""
    url = sa.make_url(ready.connection)
    with proxied(int(url.port or 0)) as proxy:
        behind = url.set(port=proxy.port).render_as_string(hide_password=False)
        database = Database.open(replace(ready, connection=behind))
        look(database)
        patience()
        before = proxy.passed
        look(database)
        asked = counted(proxy, before)
        database.close()
    return database.reader.dialect.name, asked


def counted(proxy: Proxy, before: int) -> int:
    """Each question is passed on before its answer comes back: nothing is on its way."""
    return proxy.passed - before


def look(database: Database) -> None:
    with database.read() as connection:
        connection.execute(sa.text("SELECT 1"))


def test_transaction_asks_for_nothing_but_what_it_is_for(ready):
    server, asked = asked_for_one_statement(ready, lambda: None)
    assert asked == OWN[server]


def test_connection_that_was_idle_is_asked_first(ready, monkeypatch):
    server, asked = asked_for_one_statement(
        ready, lambda: monkeypatch.setattr(pinging, "_IDLE", 0.0)
    )
    assert asked == OWN[server] + (server == "postgresql")
