"""The OpenAPI description of a service, without one that runs."""

import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from vmwright import Controller, DatabaseSettings, Settings, SimulatedSettings
from vmwright.api.application import make_application


def description() -> dict[str, Any]:
    """What a service with a new store gives at /v1/openapi.json."""
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        settings = Settings(
            backend="simulated",
            state_dir=home,
            database=DatabaseSettings(connection=f"sqlite:///{home / 'vmwright.db'}"),
            simulated=SimulatedSettings(world_dir=home / "world"),
        )
        with Controller(settings) as controller, closing(controller.feed()) as feed:
            return make_application(controller, feed, {}).openapi()
