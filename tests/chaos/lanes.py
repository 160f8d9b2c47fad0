"""Deployments to be killed in, each put back to how it was before the next kill."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.chaos.oracle import Verdict, judge
from tests.chaos.store import Snapshot, Store
from tests.chaos.world import SimulatedWorld
from tests.support.lab import Lab

Setup = Callable[[Lab], object]


@dataclass(frozen=True)
class Lane:
    """One deployment in `lab`, with a copy of its files and rows as they were made ready."""

    lab: Lab
    copy: Path
    rows: Snapshot | None

    @classmethod
    def of(cls, lab: Lab, setup: Sequence[Setup]) -> "Lane":
        """Make it ready, step by step, and remember how it stands then."""
        lab.home.mkdir(parents=True)
        for step in setup:
            step(lab)
        copy = lab.home.with_name(f"{lab.home.name}-copy")
        shutil.copytree(lab.home, copy)
        store = Store(lab.settings.database.connection)
        return cls(lab, copy, None if store.kind == "sqlite" else Snapshot.of(store))

    @property
    def store(self) -> Store:
        return Store(self.lab.settings.database.connection)

    def renew(self) -> Lab:
        """As it was, whatever happened."""
        shutil.rmtree(self.lab.home)
        shutil.copytree(self.copy, self.lab.home)
        if self.rows is not None:
            self.rows.put_back(self.store)
        return self.lab

    def judge(self) -> Verdict:
        return judge(self.store, SimulatedWorld(self.lab.home / "world"))


def changed(lab: Lab, **changes: Any) -> Lab:
    return replace(lab, **changes)
