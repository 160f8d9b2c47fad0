"""One run of chaos, from the first row to the verdict."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.crew import notes, wish_of
from tests.chaos.driver import Driver, Ground, Toll
from tests.chaos.ground import SimulatedGround
from tests.chaos.oracle import Verdict, judge
from tests.chaos.outages import Reach, outage_of
from tests.chaos.secrets_in_clear import found
from tests.chaos.store import Store
from tests.support.lab import preload

IN_CALLS = 0.3
"""The share of kills inside of a backend call, at least."""


@dataclass(frozen=True)
class Ended:
    """What a run came to. `wrong` is all that must not be."""

    toll: Toll
    places: int
    missed: list[str]
    """Places where nobody was killed."""
    verdict: Verdict
    wrong: list[str]


def chaos(
    ground: Ground, reach: Reach, home: Path, seed: int, over: Callable[[Toll], bool]
) -> Ended:
    """Kill until it is over, see everything through, and judge."""
    marker, store = f"marker-{secrets.token_hex(16)}".encode(), Store(reach.direct)
    preload(home / "preload")
    driver = Driver(
        ground,
        seed,
        wish_of(marker, ground.choices),
        outage=outage_of(store),
        absence=reach.take_away,
    )
    driver.whole(ground.settings, ground.prepare)
    driver.enumerate_points()
    driver.run(over)
    wrong = [] if driver.settle() == 0 else ["what was left could not be settled: see logs"]
    verdict, toll = judge(store, ground.world, notes(driver.journal)), driver.toll
    wrong += [] if verdict.is_clean else verdict.complaints()
    places = found(marker, ground.home, store, ground.is_for_secrets)
    wrong += [f"secret in clear: {place}" for place in places]
    if toll.in_call < IN_CALLS * toll.kills:
        wrong.append(f"only {toll.in_call} of {toll.kills} kills were inside of a backend call")
    return Ended(toll, len(driver.places), driver.missed, verdict, wrong)


@contextmanager
def ground_of(backend: str, home: Path, url: str) -> Iterator[Ground]:
    """Hosts of this backend; what they need must be there."""
    home.mkdir(exist_ok=True)
    if backend == "simulated":
        yield SimulatedGround(home, url)
        return
    from tests.chaos.libvirt_ground import LibvirtGround

    with LibvirtGround.at(home, url) as ground:
        yield ground
