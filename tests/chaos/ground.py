"""Where a chaos run takes place: hosts, what befalls them, and how to look at them."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from tests.chaos.crew import KEPT
from tests.chaos.world import SimulatedWorld, World
from vmwright.controller import Controller
from vmwright.settings import (
    DatabaseSettings,
    OperationSettings,
    Settings,
    SimulatedSettings,
)
from vmwright.waiting import Wait

LEASE = 2.0
"""Seconds: who is stopped for longer, is taken over."""

LATE = 4.5
"""Seconds in which a call of somebody who is stopped may still land: longer than any stop."""

HOSTS = ("host1", "host2", "host3")
_FAULTS = (
    "ensure_running:1:after",
    "ensure_running:2:refuse",
    "ensure_running:1:late:0.4",
    "ensure_domain:1:lost",
    "ensure_volume:2:after",
    "ensure_volume:3:late:0.3",
    "ensure_content:1:refuse",
    "ensure_reservation:1:before",
    "ensure_reservation:2:lost",
    "ensure_no_domain:1:lost",
    "ensure_no_volume:2:before",
    "ensure_no_reservation:1:late:0.3",
)

Undo = Callable[[], None]


@dataclass
class SimulatedGround:
    """Three simulated hosts."""

    home: Path
    url: str
    choices: int = 60
    steps: bool = True
    most: int = 12
    crew: int = 4
    calm: float = 1.0
    life: float = 8.0
    _down: list[Path] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return Settings(
            backend="simulated",
            state_dir=self.home,
            database=DatabaseSettings(connection=self.url),
            simulated=SimulatedSettings(world_dir=self.home / "world", latency="0.002"),
            operations=OperationSettings(
                lease=LEASE,
                deadline=20.0,
                patience=0.5,
                undo_deadline=0.5,
                undo_tries=1000,
                takeovers=10**6,  # that processes die is what is wanted here
                undo_backoff=0.1,
                late_effect=LATE,
            ),
            reconcile_interval=0.3,
        )

    @property
    def world(self) -> World:
        return SimulatedWorld(self.home / "world")

    def with_faults(self, *faults: str) -> Settings:
        """Calls are counted from now on."""
        (self.home / "world" / "calls.json").unlink(missing_ok=True)
        settings = self.settings
        return replace(settings, simulated=replace(settings.simulated, faults=faults))

    def shaky(self, chance: random.Random) -> Settings:
        """Settings with a fault, or without."""
        return self.with_faults(*chance.sample(_FAULTS, chance.choice((0, 0, 1, 2))))

    def failing(self) -> Sequence[Callable[[], Settings]]:
        """Settings with which a build is tried on another host, and with which it fails."""
        elsewhere, nowhere = "ensure_running:1:after", "ensure_running:1+:refuse"
        return [partial(self.with_faults, elsewhere), partial(self.with_faults, nowhere)]

    def prepare(self, controller: Controller) -> None:
        inventory, source = controller.inventory, self.home / "image.raw"
        for host in HOSTS:
            inventory.create_host(host, f"simulated:///{host}")
        inventory.create_flavor("small", 1, 128, 1, ephemeral_gib=1, swap_mib=64)
        for number in range(1, self.choices + 1):
            source.write_bytes(bytes([number]) * 4096)
            inventory.create_image(f"image{number}", source, "raw", wait=Wait(10))
            inventory.create_network(f"net{number}", f"10.1.{number}.0/24")
        source.unlink()
        for number, name in enumerate(KEPT):
            inventory.create_volume(name, size_gib=1)
            inventory.ports.create(name, "net1", ip=f"10.1.1.{200 + number}")

    def befall(self, chance: random.Random) -> Undo:
        """A host loses its power; returns what gives it back."""
        switch = self.home / "world" / "hosts" / chance.choice(HOSTS) / "down"
        if not switch.parent.exists():
            return lambda: None
        switch.touch()
        return lambda: switch.unlink(missing_ok=True)

    def is_for_secrets(self, path: Path) -> bool:
        """Of a config drive nothing but its digest is kept here."""
        return False
