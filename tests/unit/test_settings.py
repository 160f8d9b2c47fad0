"""Settings that contradict each other are refused, with what to do about it."""

from pathlib import Path

import pytest

from vmwright.errors import InvalidRequest
from vmwright.settings import Settings

SERVERS = ["postgresql+psycopg://u@127.0.0.1/v", "mysql+pymysql://u@127.0.0.1/v"]


def settings(directory: Path, connection: str, timeout: str, lease: str) -> Settings:
    file = directory / "vmwright.conf"
    file.write_text(
        f"[database]\nconnection = {connection}\n{timeout}\n[operations]\n{lease}\n",
    )
    return Settings.from_files(str(file))


@pytest.mark.parametrize("connection", SERVERS)
@pytest.mark.parametrize(
    ("timeout", "lease", "told"),
    [
        ("timeout = 20", "", "[database] timeout (20 s) must be smaller"),
        ("", "lease = 5", "[operations] lease (5 s)"),
        ("timeout = 7.5", "lease = 7.5", "lower the timeout, or raise the lease"),
    ],
)
def test_server_is_not_waited_for_longer_than_a_lease(
    tmp_path: Path, connection: str, timeout: str, lease: str, told: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        settings(tmp_path, connection, timeout, lease)
    assert told in refused.value.message
    assert str(tmp_path / "vmwright.conf") in refused.value.message


@pytest.mark.parametrize("connection", SERVERS)
def test_server_may_take_any_time_below_the_lease(tmp_path: Path, connection: str) -> None:
    assert settings(tmp_path, connection, "timeout = 7.4", "lease = 7.5").database.timeout == 7.4


def test_lease_of_a_store_in_a_file_is_free(tmp_path: Path) -> None:
    """Its timeout is for servers only."""
    connection = f"sqlite:///{tmp_path / 'store.db'}"
    assert settings(tmp_path, connection, "", "lease = 1").operations.lease == 1.0
