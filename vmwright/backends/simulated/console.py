"""What a simulated guest writes to its serial console."""

from collections.abc import Iterator
from string import ascii_lowercase

from vmwright import ids
from vmwright.backends.simulated.network import leased
from vmwright.backends.simulated.records import runs
from vmwright.backends.simulated.world import Folder, HostFiles, Record
from vmwright.errors import Refused


def running_guest(files: HostFiles, instance: str) -> Record:
    """The guest's record; `Refused` if it is unknown or switched off."""
    domain = files.find(Folder.DOMAINS, instance)
    if domain is None or not runs(domain):
        raise Refused(f"host {files.name}: guest {instance} does not run and has no console")
    return domain


def greeting(files: HostFiles, domain: Record) -> Iterator[bytes]:
    """What the guest writes while it starts: afterwards it is silent."""
    yield b"GUEST-INIT\n"
    for letter, disk in zip(ascii_lowercase, domain["disks"], strict=False):
        volume = files.find(Folder.VOLUMES, disk["volume"])
        if volume is not None and _role(disk["volume"]) == "config":
            yield f"GUEST-CONFIG vd{letter} sha256={volume['content_sha256']}\n".encode()
    for nic in domain["nics"]:
        address = leased(files, nic)
        if address is not None:
            yield f"GUEST-IP ip={address} mac={nic['mac']}\n".encode()
    yield b"GUEST-READY\n"


def _role(volume: str) -> str | None:
    return volume.split(".")[5] if ids.mark_of_volume(volume) else None
