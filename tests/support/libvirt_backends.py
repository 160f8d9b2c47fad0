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
    starts_per_host: int = 4,
) -> Iterator[Backend]:
    """A backend whose default host is this one."""
    libvirt = LibvirtSettings(
        connection_uri=uri,
        virt_type=virt_type,
        call_deadline=call_deadline,
        starts_per_host=starts_per_host,
    )
    with tempfile.TemporaryDirectory(prefix="vmw-") as own:
        backend = open_backend(_settings(libvirt, state_dir or Path(own)), deployment)
        try:
            yield backend
        finally:
            backend.close()


def _settings(libvirt: LibvirtSettings, state_dir: Path) -> Settings:
    return Settings(
        backend="libvirt",
        state_dir=state_dir,
        database=DatabaseSettings(connection=""),
        simulated=SimulatedSettings(world_dir=Path()),
        libvirt=libvirt,
    )
