"""Keeps a list of guests in a directory: a file for each that is being built, and one for each
that runs. The directory is named by the environment variable INVENTORY_DIR."""

import json
import os
from pathlib import Path
from typing import Any

from vmwright.errors import Unavailable
from vmwright.tasks.task import Run, Task


class Register(Task):
    """Write the guest down before anything is made for it."""

    task_name = "register"
    gives_back = "entry in the inventory"
    default_provides = "inventory_entry"

    def execute(self, run: Run, spec: Any) -> str:
        entry = entry_of(run, "building")
        write(entry, {"name": spec.name, "vcpus": spec.vcpus, "ram_mib": spec.ram_mib})
        return entry.name

    def revert(self, run: Run, **_: Any) -> None:
        remove(entry_of(run, "building"))


class Announce(Task):
    """Tell where the guest runs, and at which addresses."""

    task_name = "announce"
    gives_back = "announcement"

    def execute(
        self,
        run: Run,
        host: dict[str, Any],
        network_info: list[dict[str, Any]],
        inventory_entry: str,
    ) -> None:
        addresses = [port["ip"] for port in network_info]
        known = {"host": host["name"], "addresses": addresses, "entry": inventory_entry}
        write(entry_of(run, "running"), known)

    def revert(self, run: Run, **_: Any) -> None:
        remove(entry_of(run, "running"))


def entry_of(run: Run, what: str) -> Path:
    """A name that is fixed before the build begins, and nobody else's. The attempt is not in it:
    a later one may be the one that is taken back."""
    return Path(os.environ["INVENTORY_DIR"]) / f"{run.instance}.{run.operation}.{what}.json"


def write(entry: Path, values: dict[str, Any]) -> None:
    """Make it hold this, whatever it held: whoever reads it sees all of it or nothing."""
    draft = entry.with_suffix(".draft")
    try:
        draft.write_text(json.dumps(values))
        draft.replace(entry)
    except OSError as error:
        raise Unavailable(f"{entry} cannot be written: {error.strerror}") from error


def remove(entry: Path) -> None:
    """Make it absent, and what a killed `write` left."""
    try:
        for path in (entry.with_suffix(".draft"), entry):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise Unavailable(f"{entry} cannot be removed: {error.strerror}") from error
