"""A guest needs a licence: a file with its name in a directory that several controllers share.

LICENCE_DIR names the directory. A licence is named by the instance and the operation that took it,
which are fixed before the build begins.
"""

import json
import os
from pathlib import Path
from typing import Any

from vmwright.errors import Refused, Unavailable
from vmwright.tasks.task import Run, Task


class TakeLicence(Task):
    """Take a licence for the guest, and give it back."""

    task_name = "take_licence"
    gives_back = "licence"

    def execute(self, run: Run, spec: Any) -> None:
        licence, holder = licence_of(run), {"holder": spec.name, "operation": run.operation}
        try:
            if holder_of(licence) not in (None, holder):
                raise Refused(f"licence {licence.name} is somebody else's")
            draft = licence.with_suffix(".draft")
            draft.write_text(json.dumps(holder))
            draft.replace(licence)
        except OSError as error:
            raise out_of_reach(error) from error

    def revert(self, run: Run, **_: Any) -> None:
        licence = licence_of(run)
        try:
            licence.with_suffix(".draft").unlink(missing_ok=True)
            if (holder_of(licence) or {}).get("operation") == run.operation:
                licence.unlink(missing_ok=True)
        except OSError as error:
            raise out_of_reach(error) from error


def licence_of(run: Run) -> Path:
    """Where this build's licence lies."""
    return Path(os.environ["LICENCE_DIR"]) / f"{run.instance}.json"


def holder_of(licence: Path) -> dict[str, str] | None:
    """What is written in a licence; None if it is free."""
    try:
        holder: dict[str, str] = json.loads(licence.read_text())
    except FileNotFoundError:
        return None
    return holder


def out_of_reach(error: OSError) -> Unavailable:
    return Unavailable(f"the licences cannot be reached: {error.strerror}")
