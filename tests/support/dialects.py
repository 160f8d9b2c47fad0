"""What a test of the store is parametrised with, to run on each kind of database."""

import pytest

SERVERS = [
    pytest.param("postgresql", marks=pytest.mark.postgresql),
    pytest.param("mariadb", marks=pytest.mark.mariadb),
]
DIALECTS = [pytest.param("sqlite"), *SERVERS]
