"""Short runs of chaos: many controllers, stops, power failures and outages at once."""

from pathlib import Path

import pytest

from tests.chaos.outages import Reach
from tests.chaos.run import Ended, chaos, ground_of
from tests.chaos.test_kill_sweep import upgraded
from tests.support.private_host import missing
from vmwright.settings import DatabaseSettings

SEED = 20261127


def run(home: Path, url: str, backend: str, kills: int) -> Ended:
    reach = Reach(url, url, lambda: lambda: None)
    with ground_of(backend, home / "run", url) as ground:
        return chaos(ground, reach, home, SEED, lambda toll: toll.kills >= kills)


@pytest.mark.slow
def test_nothing_comes_of_a_hundred_kills(
    dialect: str, home: Path, request: pytest.FixtureRequest
) -> None:
    settings = DatabaseSettings(connection=f"sqlite:///{home}/store.db")
    if dialect != "sqlite":
        settings = request.getfixturevalue(dialect).fresh()
    ended = run(home, upgraded(settings), "simulated", 100)
    assert ended.wrong == []
    assert ended.verdict.parked == []
    assert ended.verdict.active
    print(ended.verdict.line(ended.toll.kills))


@pytest.mark.slow
@pytest.mark.libvirt
@pytest.mark.guest
def test_nothing_comes_of_sixty_kills_on_real_hosts(home: Path) -> None:
    if reason := missing():
        pytest.skip(reason)
    url = upgraded(DatabaseSettings(connection=f"sqlite:///{home}/store.db"))
    ended = run(home, url, "libvirt", 60)
    assert ended.wrong == []
    assert ended.verdict.active
    print(ended.verdict.line(ended.toll.kills))
