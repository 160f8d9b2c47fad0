"""A real SIGKILL at every commit and every step of every backend call: one guest, or no trace.

Which points there are is found by a run that nobody kills. Each death is proven by a note that was
flushed before it, and by signal 9.
"""

import random
from pathlib import Path

import pytest

from tests.chaos.lanes import Lane
from tests.chaos.scenarios import SCENARIOS, Scenario
from tests.chaos.sweep import LANES, Aim, every_point, pairs, places, sweep
from tests.support.dialects import SERVERS
from vmwright.persistence import schema_version
from vmwright.persistence.database import Database
from vmwright.settings import DatabaseSettings
from vmwright.testing.points import Kind, Moment, Point

SEED = 20261127
SOME = 12
PAIRS = 500

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}


def lanes(
    scenario: Scenario,
    home: Path,
    dialect: str,
    request: pytest.FixtureRequest,
    number: int = LANES,
) -> list[Lane]:
    """Deployments side by side, each with a store of its own."""
    urls = [None] * number
    if dialect != "sqlite":
        server = request.getfixturevalue(dialect)
        urls = [upgraded(server.fresh()) for _ in urls]
    return [scenario.lane(home / f"{scenario.name}{n}", url) for n, url in enumerate(urls)]


def upgraded(settings: DatabaseSettings) -> str:
    """The address of this database, which has the newest schema now."""
    database = Database.open(settings)
    schema_version.upgrade(database)
    database.close()
    return settings.connection


@pytest.mark.parametrize("name", ["create", "undo", "delete"])
def test_killed_at_some_places(name: str, home: Path, request: pytest.FixtureRequest) -> None:
    scenario = BY_NAME[name]
    chosen = lanes(scenario, home, "sqlite", request)
    tally = sweep(chosen, scenario, places(scenario.points(chosen[0]), SOME, random.Random(SEED)))
    tally.assert_clean()
    assert len(tally.killed) == SOME


@pytest.mark.parametrize("dialect", SERVERS, indirect=True)
def test_killed_around_transactions_of_a_server(
    dialect: str, home: Path, request: pytest.FixtureRequest
) -> None:
    scenario = BY_NAME["create"]
    chosen = lanes(scenario, home, dialect, request, 2)
    points = [p for p in scenario.points(chosen[0]) if Point.parse(p).kind is Kind.TRANSACTION]
    tally = sweep(chosen, scenario, places(points, SOME // 3, random.Random(SEED)))
    tally.assert_clean()
    assert len(tally.killed) == SOME // 3


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_killed_at_every_single_point(
    scenario: Scenario, dialect: str, home: Path, request: pytest.FixtureRequest
) -> None:
    chosen = lanes(scenario, home, dialect, request)
    points = scenario.points(chosen[0])
    assert {Point.parse(point).moment for point in points} == set(Moment)
    tally = sweep(chosen, scenario, every_point(points))
    tally.assert_clean()
    assert len(tally.killed) == len(points)
    print(f"{scenario.name} on {dialect}: killed at {len(tally.killed)} points")


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_killed_twice_at_seeded_pairs(
    dialect: str, home: Path, request: pytest.FixtureRequest
) -> None:
    chance, killed = random.Random(f"{SEED} {dialect}"), 0
    each = -(-PAIRS // len(SCENARIOS))
    for scenario in SCENARIOS:
        chosen = lanes(scenario, home, dialect, request)
        points, left = scenario.points(chosen[0]), each
        while left:
            aims: list[Aim] = list(pairs(points, left, chance))
            tally = sweep(chosen, scenario, aims)
            tally.assert_clean()
            left = len(tally.idle)
            killed += len(tally.killed)
    assert killed >= PAIRS
    print(f"{dialect}: killed twice at {killed} pairs of points")
