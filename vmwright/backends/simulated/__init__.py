"""A backend made of plain files: strict, persistent, and able to fail where it is told to."""

from vmwright.backends.host import Backend
from vmwright.backends.simulated.backend import SimulatedBackend
from vmwright.ids import DeploymentId
from vmwright.settings import Settings


def open_backend(settings: Settings, deployment: DeploymentId) -> Backend:
    """The entry point ``simulated``; raises as `SimulatedBackend` does."""
    return SimulatedBackend(settings.simulated, deployment)


__all__ = ["SimulatedBackend", "open_backend"]
