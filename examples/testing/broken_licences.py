"""Five mistakes that reviews let through. `test_mistakes.py` has the kit find each of them."""

import json
import os
import shutil
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from licences import TakeLicence, licence_of

from vmwright.tasks.task import Run


class MissingRevert(TakeLicence):
    """It cannot be taken back."""

    def revert(self, run: Run, **_: Any) -> None:
        """Nobody thought of it."""


class ReadsItsOwnResult(TakeLicence):
    """After a failure there is no result, and in another process there is none either."""

    def execute(self, run: Run, spec: Any) -> None:
        super().execute(run, spec)
        self.taken = licence_of(run)

    def revert(self, run: Run, **_: Any) -> None:
        del run
        self.taken.unlink(missing_ok=True)


class TakesAnotherOne(TakeLicence):
    """Run again after a crash, it takes a second licence; nobody knows of the first."""

    def execute(self, run: Run, spec: Any) -> None:
        licence = licence_of(run)
        another = licence.with_name(f"{run.instance}.{uuid.uuid4()}.json")
        another.write_text(json.dumps({"holder": spec.name, "operation": run.operation}))

    def revert(self, run: Run, **_: Any) -> None:
        for licence in licence_of(run).parent.glob(f"{run.instance}.*"):
            licence.unlink()


class RemovesEverybodys(TakeLicence):
    """It cleans up so well that others have none left."""

    def revert(self, run: Run, **_: Any) -> None:
        del run
        directory = Path(os.environ["LICENCE_DIR"])
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(exist_ok=True)


class Swallows(TakeLicence):
    """It says that the licence was given back, also when nobody could be asked."""

    def revert(self, run: Run, **_: Any) -> None:
        with suppress(OSError):
            licence_of(run).unlink()
