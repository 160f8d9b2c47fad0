"""What a test of the store is parametrised with, to run on each kind of database."""

import pytest

SERVERS = [
    pytest.param("postgresql", marks=pytest.mark.postgresql),
    pytest.param("mariadb", marks=pytest.mark.mariadb),
]
DIALECTS = [pytest.param("sqlite"), *SERVERS]

SERVERS_IN_TURN = [
    SERVERS[0],
    # What several processes do at once is tried on it in make test as well, by SERVERS.
    pytest.param("mariadb", marks=[pytest.mark.mariadb, pytest.mark.slow]),
]
IN_TURN = [DIALECTS[0], *SERVERS_IN_TURN]
"""Where one server stands for the other in make test, and make test-all tries both."""
