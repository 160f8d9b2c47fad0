"""Hosts that run guests by QEMU, reached through libvirt."""

from vmwright.backends.host import Backend
from vmwright.errors import PackageMissing
from vmwright.ids import DeploymentId
from vmwright.settings import Settings


def open_backend(settings: Settings, deployment: DeploymentId) -> Backend:
    """The backend of a deployment. No host is asked anything yet.

    Raises `PackageMissing` if libvirt's Python binding is not installed.
    """
    try:
        from vmwright.backends.libvirt.backend import LibvirtBackend
    except ImportError as error:
        if error.name not in {"libvirt", "libvirtmod"}:
            raise
        raise PackageMissing(
            "the libvirt backend needs the package libvirt-python",
            hint="pip install 'vmwright[libvirt]', or apt install python3-libvirt",
        ) from error
    return LibvirtBackend(settings, deployment)


def use_own_event_loop() -> None:
    """Say that the program runs libvirt's event loop itself, so that no thread is started.

    Call it before the first verb. The program must have registered an implementation with
    libvirt, and run it: without it connections cannot see that a host is gone.
    """
    from vmwright.backends.libvirt import event_loop

    event_loop.leave_to_program()
