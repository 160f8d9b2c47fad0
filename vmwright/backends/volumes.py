"""What a flow may ask of the storage of a host."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from vmwright.ids import Mark, Whose
from vmwright.waiting import Wait

GIB = 2**30

FORMAT = "qcow2"
"""Of the disks that we make."""


@dataclass(frozen=True, kw_only=True)
class Base:
    """An image as it is cached on a host: under a digest of its content, never written again."""

    sha256: str
    disk_format: str
    size_bytes: int
    """Length of the file."""
    virtual_size_bytes: int
    """Size of the disk that it describes."""


@dataclass(frozen=True, kw_only=True)
class Volume:
    """A volume to make: an overlay (qcow2) of a `base` or of a `backing`, or blank.

    `name` holds the mark of its maker (`ids.volume_name`).
    """

    name: str
    disk_format: str
    size_bytes: int
    base: Base | None = None
    backing: str | None = None
    """The name of a snapshot in the same pool (`Volumes.ensure_copy`)."""


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A volume as the host knows it; `mark` is None for a base and for one that no flow made."""

    name: str
    mark: Mark | None
    size_bytes: int
    backing: str | None = field(default=None, compare=False, repr=False)
    """The name of the base or snapshot of ours that it is an overlay of."""
    whole: bool = field(default=True, compare=False, repr=False)
    """False for a base or a snapshot that nobody has finished, or that a dead process left half."""
    changed_at: float | None = field(default=None, compare=False, repr=False)
    """Seconds since the epoch, on the host's clock; None if the host does not say."""


class Volumes(Protocol):
    """One host's storage. Promises as in `Hypervisor`; the mark lies in a volume's name."""

    def volumes(self, wait: Wait) -> Sequence[Stored]:
        """Every volume of our pool, bases included; none if the pool does not exist."""

    def ensure_base(self, base: Base, source: Path, wait: Wait) -> None:
        """Have the image on the host, whole: uploaded once, however many builds want it.

        `source` is a local file that was inspected and has exactly this digest. A half upload
        of a dead process is made whole.
        """

    def ensure_no_base(self, base: Base, wait: Wait) -> None:
        """Forget a cached image. Refused while a volume is an overlay of it, and while a guest,
        running or not, names it."""

    def ensure_volume(self, volume: Volume, wait: Wait) -> None:
        """Make the volume exist with this size and format; its content is kept if it does.

        Refused if a volume of this name has another size or format, if its base is missing, or
        if its backing is missing or not whole.
        """

    def ensure_copy(self, name: str, source: str, wait: Wait) -> None:
        """Have a snapshot, whole: a copy of all that the qcow2 volume `source` holds, that needs
        no other volume. `name` is a snapshot's (`ids.snapshot_name`).

        One that is whole is kept as it is; half a copy of a dead process is made anew. Refused
        if `source` is missing, or while a guest that runs has it open.
        """

    def ensure_content(self, name: str, content: bytes, wait: Wait) -> None:
        """Make a raw volume exist with exactly this content, replacing what a dead process left."""

    def ensure_no_volume(self, name: str, whose: Whose, wait: Wait) -> None:
        """Remove the volume, if `whose` covers the mark in its name. Refused while a guest that
        runs has it open, and while a volume is an overlay of it."""

    def ensure_no_pool(self, wait: Wait) -> None:
        """Forget the place where this deployment's volumes lie. Refused while one is there."""

    def settle_volume(self, name: str, wait: Wait) -> None:
        """Return once the host says that no job on this volume is under way."""
