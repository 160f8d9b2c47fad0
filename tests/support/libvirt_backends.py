"""libvirt backends as processes open them, with settings of their own."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vmwright.backends.host import Backend
from vmwright.backends.libvirt import open_backend
from vmwright.ids import DeploymentId
from vmwright.settings import DatabaseSettings, LibvirtSettings, Settings, SimulatedSettings


@contextmanager
def opened(
    uri: str,
    deployment: DeploymentId,
    *,
    state_dir: Path | None = None,
    virt_type: str = "qemu",
    call_deadline: float = 60.0,
) -> Iterator[Backend]:
    """A backend whose default host is this one."""
    with tempfile.TemporaryDirectory(prefix="vmw-") as own:
        settings = _settings(uri, state_dir or Path(own), virt_type, call_deadline)
        backend = open_backend(settings, deployment)
        try:
            yield backend
        finally:
            backend.close()


def _settings(uri: str, state_dir: Path, virt_type: str, call_deadline: float) -> Settings:
    return Settings(
        backend="libvirt",
        state_dir=state_dir,
        database=DatabaseSettings(connection=""),
        simulated=SimulatedSettings(world_dir=Path()),
        libvirt=LibvirtSettings(
            connection_uri=uri, virt_type=virt_type, call_deadline=call_deadline
        ),
    )
